import { LedgerView, SimulatorProcess, callRaw, findMoneyFaults, startProduct, writeCall, writeFlatPrices } from '@tokone/testing';
import type { DialectCall, DialectName, Product, RawAnswer, RawCall } from '@tokone/testing';
import { Recorder } from './recorder.js';

/** TokOne with the flat test models, in front of a simulator without pace, and a view of its ledger. */
export class PricedDeployment {
  private constructor(
    readonly product: Product,
    readonly simulator: SimulatorProcess,
    /** Keeps what the provider sent; only where it was asked for. */
    readonly recorder: Recorder | undefined,
    readonly ledger: LedgerView,
    private readonly removePrices: () => Promise<void>,
  ) {}

  static async start({ env = {}, recorded = false, gateways }: { env?: Readonly<Record<string, string>>; recorded?: boolean; gateways?: number } = {}): Promise<PricedDeployment> {
    const prices = await writeFlatPrices();
    const simulator = await SimulatorProcess.start({ SIMULATOR_CHUNK_DELAY_MS: '0' });
    const recorder = recorded ? await Recorder.start(simulator.url) : undefined;
    const url = recorder?.url ?? simulator.url;
    const upstreams = { TOKONE_OPENAI_UPSTREAM_URL: url, TOKONE_ANTHROPIC_UPSTREAM_URL: url, TOKONE_GEMINI_UPSTREAM_URL: url };
    try {
      const product = await startProduct({ env: { ...upstreams, TOKONE_PRICES_FILE: prices.path, ...env }, ...(gateways !== undefined && { gateways }) });
      return new PricedDeployment(product, simulator, recorder, new LedgerView(product), () => prices.folder.remove());
    } catch (error) {
      await recorder?.close();
      await simulator.stop();
      await prices.folder.remove();
      throw error;
    }
  }

  get baseUrl(): string {
    return this.product.addresses.baseUrl;
  }

  /** One call past any SDK. */
  call(dialect: DialectName, key: string, call: DialectCall & Partial<Pick<RawCall, 'agent' | 'onBytes' | 'signal'>>): Promise<RawAnswer> {
    const { path, headers, body } = writeCall(dialect, key, call);
    const { agent, onBytes, signal } = call;
    return callRaw({ url: this.baseUrl + path, headers, body, ...(agent && { agent }), ...(onBytes && { onBytes }), ...(signal && { signal }) });
  }

  /** The body that the provider got with the newest request of a tag. */
  async bodyOf(tag: string): Promise<Record<string, unknown>> {
    const answer = await fetch(`${this.simulator.url}/truth/last-body?tag=${tag}`, { signal: AbortSignal.timeout(10_000) });
    return (await answer.json()) as Record<string, unknown>;
  }

  /** What is wrong with the money once nothing runs. `overruled`: tags of requests whose usage lied. */
  async moneyFaults(overruled: readonly string[] = []): Promise<string[]> {
    await this.ledger.quiet();
    const truth = (await this.simulator.truth()).filter(({ tag }) => !overruled.includes(tag ?? ''));
    return findMoneyFaults({ databaseUrl: this.product.addresses.databaseUrl, truth });
  }

  /** Returns the exit code of the product. */
  async stop(): Promise<number | null> {
    await this.ledger.close();
    const code = await this.product.stop();
    await this.recorder?.close();
    await this.simulator.stop();
    await this.removePrices();
    return code;
  }
}

/** The id of a request, which is that of its usage row and charge. */
export function requestIdOf(answer: Pick<RawAnswer, 'headers'>): string {
  return String(answer.headers['x-request-id']);
}
