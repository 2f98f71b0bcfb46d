import { openPool } from '@tokone/persistence';
import type { Pool } from '@tokone/persistence';
import { SimulatorProcess, findMoneyFaults, startProduct, waitFor } from '@tokone/testing';
import type { HoldsReport, Product, TruthRecord } from '@tokone/testing';
import { request as send } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { Recorder } from './recorder.js';

export type Group = 'openai' | 'anthropic' | 'gemini';

export interface WireCall {
  method?: string;
  /** Sent as it stands; the right key of the group is added unless a key header is here. */
  headers?: Record<string, string>;
  /** A string or buffer goes out as it stands, anything else as JSON. */
  body?: unknown;
}

export interface WireAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  bytes: Buffer;
  text: string;
  /** The connection ended before the answer did. */
  broken: boolean;
  /** The body as JSON; throws where it is none. */
  json(): Record<string, unknown>;
}

export interface UsageRow {
  status: number;
  outcome: string;
  error_code: string | null;
  admitted: boolean;
  streamed: boolean;
  charge: string;
  model: string;
}

const KEY_HEADER = { openai: 'authorization', anthropic: 'x-api-key', gemini: 'x-goog-api-key' } as const;
/** Rating and posting are asynchronous; a row is there long before this. */
const POSTED_DEADLINE_MS = 15_000;

/** TokOne in the shape of this run, in front of a simulator of its own, with a recorder in between, and one tenant for each group. */
export class Deployment {
  private constructor(
    readonly product: Product,
    readonly simulator: SimulatorProcess,
    readonly recorder: Recorder,
    readonly keys: Record<Group, string>,
    private readonly pool: Pool,
  ) {}

  static async start(env: Readonly<Record<string, string>> = {}): Promise<Deployment> {
    const simulator = await SimulatorProcess.start({ SIMULATOR_CHUNK_DELAY_MS: '0' });
    const recorder = await Recorder.start(simulator.url);
    const upstreams = { TOKONE_OPENAI_UPSTREAM_URL: recorder.url, TOKONE_ANTHROPIC_UPSTREAM_URL: recorder.url, TOKONE_GEMINI_UPSTREAM_URL: recorder.url };
    let product: Product | undefined;
    try {
      product = await startProduct({ env: { ...upstreams, ...env } });
      const pool = openPool({ url: product.addresses.databaseUrl, poolSize: 2, statementTimeoutMs: 30_000, applicationName: 'e2e' });
      return new Deployment(product, simulator, recorder, await makeTenants(product), pool);
    } catch (error) {
      await product?.stop();
      await recorder.close();
      await simulator.stop();
      throw error;
    }
  }

  get baseUrl(): string {
    return this.product.addresses.baseUrl;
  }

  /** One HTTP call, with nothing between the test and the wire that adds or reads headers. */
  async call(group: Group, path: string, { method, headers = {}, body }: WireCall = {}): Promise<WireAnswer> {
    const names = Object.keys(headers).map((name) => name.toLowerCase());
    const withKey = Object.values(KEY_HEADER).some((name) => names.includes(name)) ? headers : { ...keyHeader(group, this.keys[group]), ...headers };
    return callWire(new URL(path, this.baseUrl).href, { method, headers: withKey, body });
  }

  /** The same without any key. */
  callBare(path: string, call: WireCall = {}): Promise<WireAnswer> {
    return callWire(new URL(path, this.baseUrl).href, call);
  }

  /** The simulator's copy of the last request body with this tag. */
  async upstreamBody(tag: string): Promise<Buffer> {
    return (await callWire(`${this.simulator.url}/truth/last-body?tag=${tag}`, {})).bytes;
  }

  /** The usage row of a request, once it has been rated. */
  usageRow(requestId: string): Promise<UsageRow> {
    return waitFor(async () => (await this.usageRows(requestId))[0], { what: `the usage row of ${requestId}`, deadlineMs: POSTED_DEADLINE_MS });
  }

  async usageRows(requestId: string): Promise<UsageRow[]> {
    const { rows } = await this.pool.query<UsageRow>(
      'SELECT status, outcome, error_code, admitted, streamed, charge_nano_usd::text AS charge, model FROM billing.usage WHERE id = $1::uuid',
      [requestId],
    );
    return rows;
  }

  async query(sql: string, values: unknown[]): Promise<void> {
    await this.pool.query(sql, values);
  }

  /** What is held and not posted yet, as the management listener says. */
  holds(): Promise<HoldsReport> {
    return this.product.holds();
  }

  /** What is wrong with the money, once nothing is held or unposted. */
  async moneyFaults(): Promise<string[]> {
    return moneyFaults(this.product, await this.simulator.truth());
  }

  /** Ends all processes in order; the exit code of the product. */
  async close(): Promise<number | null> {
    await this.pool.end();
    const code = await this.product.stop();
    await this.recorder.close();
    await this.simulator.stop();
    return code;
  }
}

async function makeTenants(product: Product): Promise<Record<Group, string>> {
  const keyOf = async (group: Group) => (await product.tenant('1000', group)).key;
  return { openai: await keyOf('openai'), anthropic: await keyOf('anthropic'), gemini: await keyOf('gemini') };
}

/** Waits until nothing is held or unposted, and says what is wrong with the money. */
export async function moneyFaults(product: Product, truth: readonly TruthRecord[]): Promise<string[]> {
  const posted = async () => {
    const { held, settled } = await product.holds();
    return held + settled === 0;
  };
  await waitFor(posted, { what: 'all holds to be posted', deadlineMs: 30_000 });
  return findMoneyFaults({ databaseUrl: product.addresses.databaseUrl, truth });
}

export function keyHeader(group: Group, key: string): Record<string, string> {
  return { [KEY_HEADER[group]]: group === 'openai' ? `Bearer ${key}` : key };
}

export function callWire(url: string, { method, headers = {}, body }: WireCall): Promise<WireAnswer> {
  const bytes = body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  const all = { ...(bytes !== undefined && { 'content-type': 'application/json' }), ...headers };
  return new Promise((resolve, reject) => {
    const request = send(url, { method: method ?? (bytes === undefined ? 'GET' : 'POST'), headers: all, agent: false, timeout: 60_000 }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => undefined);
      answer.on('close', () => resolve(wireAnswer(answer, Buffer.concat(chunks))));
    });
    request.on('timeout', () => request.destroy(new Error(`${url} did not answer within 60 s`)));
    request.on('error', reject);
    request.end(bytes);
  });
}

function wireAnswer({ statusCode = 0, headers, complete }: IncomingMessage, bytes: Buffer): WireAnswer {
  const text = bytes.toString('utf8');
  return { status: statusCode, headers, bytes, text, broken: !complete, json: () => JSON.parse(text) as Record<string, unknown> };
}
