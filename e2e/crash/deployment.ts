import { join } from 'node:path';
import { openPool } from '@tokone/persistence';
import type { Pool } from '@tokone/persistence';
import { ChildProgram, SimulatorProcess, StandaloneProcess, makeTemporaryFolder, waitFor } from '@tokone/testing';
import type { ClientCall } from './client-call.js';
import { findFaults } from './judgement.js';
import type { TenantKeys } from './load.js';
import { noEvidence, readSpoolEvidence } from './spool-evidence.js';
import type { SpoolEvidence } from './spool-evidence.js';

const SETTLED_DEADLINE_MS = 30_000;
const TOP_UP_USD = '1000';
/** About 12,000 tokens of output of the model that the calls name. */
const SMALL_BALANCE_USD = '0.06';

/** One data folder over many starts, a provider that lives on, and a tenant with a key of each group. */
export class Deployment {
  readonly calls: ClientCall[] = [];
  readonly evidence = noEvidence();
  process: StandaloneProcess | undefined;
  private readonly accountIds: string[] = [];
  keys: TenantKeys = { openai: '', anthropic: '', gemini: '' };
  /** Of the last start: PostgreSQL goes on when TokOne is killed. */
  private databaseUrl = '';

  private constructor(
    readonly dataFolder: string,
    readonly simulator: SimulatorProcess,
    private readonly removeFolder: () => Promise<void>,
  ) {}

  static async create(): Promise<Deployment> {
    const folder = await makeTemporaryFolder('crash');
    const deployment = new Deployment(folder.path, await SimulatorProcess.start(), folder.remove);
    await deployment.start();
    await deployment.createTenant();
    return deployment;
  }

  get spoolFolder(): string {
    return join(this.dataFolder, 'spool');
  }

  get running(): StandaloneProcess {
    if (!this.process) throw new Error('TokOne does not run');
    return this.process;
  }

  async start(options: { env?: Readonly<Record<string, string>>; ownGroup?: boolean } = {}): Promise<StandaloneProcess> {
    this.process = undefined;
    this.process = await StandaloneProcess.start({ dataFolder: this.dataFolder, env: { ...this.simulator.upstreamSettings, ...options.env }, ownGroup: options.ownGroup ?? false });
    this.databaseUrl = this.process.addresses.databaseUrl;
    return this.process;
  }

  /** A start that nobody waits for. */
  begin(): ChildProgram {
    return new ChildProgram({ main: 'apps/standalone/dist/main.js', env: { PORT: '0', LOG_LEVEL: 'error', TOKONE_DATA_DIR: this.dataFolder, ...this.simulator.upstreamSettings } });
  }

  /** kill -9, and what it left in the spool. */
  async kill(): Promise<SpoolEvidence> {
    await this.running.kill();
    this.process = undefined;
    return this.readSpool();
  }

  /** What the spool says now; the sum of all readings is kept. A request that recovery has closed is still known as open. */
  async readSpool(): Promise<SpoolEvidence> {
    const found = await readSpoolEvidence(this.spoolFolder);
    const { openOnly, partial, closed, extended } = this.evidence;
    for (const id of found.openOnly) openOnly.add(id);
    for (const id of found.partial) partial.add(id);
    for (const [id, holdNanoUsd] of found.extended) extended.set(id, holdNanoUsd);
    for (const [id, outcome] of found.closed) if (!openOnly.has(id) && !partial.has(id)) closed.set(id, outcome);
    return found;
  }

  /** Waits until nothing is held and everything is posted. */
  async settled(): Promise<void> {
    const holds = () => this.running.manage('GET', '/health/ready');
    await waitFor(
      async () => {
        const { status, body } = await holds();
        const { held, settled } = body['holds'] as { held: number; settled: number };
        return status === 200 && body['running'] === 0 && held === 0 && settled === 0;
      },
      { what: `no hold to be left: ${JSON.stringify(await holds())}`, deadlineMs: SETTLED_DEADLINE_MS },
    );
    await this.query((pool) => waitFor(async () => (await pool.query('SELECT 1 FROM billing.outbox LIMIT 1')).rowCount === 0, { what: 'the outbox to be posted', deadlineMs: SETTLED_DEADLINE_MS }));
  }

  /** Everything that is wrong with the money of all calls until now. `lost`: calls whose OPEN the test took away; `cut`: requests of which it took a later record. */
  async findFaults({ lost = () => false, cut = new Set() }: { lost?: (call: ClientCall) => boolean; cut?: ReadonlySet<string> } = {}): Promise<string[]> {
    const lostTags = new Set(this.calls.filter(lost).map((call) => call.plan.tag));
    const truth = (await this.simulator.truth()).filter((record) => !lostTags.has(record.tag ?? ''));
    const calls = this.calls.filter((call) => !lost(call));
    return findFaults({ databaseUrl: this.databaseUrl, accountIds: this.accountIds, calls, truth, cut, evidence: this.evidence });
  }

  /** A key of group anthropic, whose model shows all of its output, of an account with so little that a stream's hold must grow with it. */
  async smallKey(): Promise<string> {
    const { accountId, key } = await this.running.tenant(SMALL_BALANCE_USD, 'anthropic');
    this.accountIds.push(accountId);
    return key;
  }

  async query<Answer>(ask: (pool: Pool) => Promise<Answer>): Promise<Answer> {
    const pool = openPool({ url: this.databaseUrl, poolSize: 2, statementTimeoutMs: 30_000, applicationName: 'crash evidence' });
    try {
      return await ask(pool);
    } finally {
      await pool.end();
    }
  }

  /** Ends everything that the folder owns, in order. */
  async dispose(): Promise<void> {
    try {
      await (this.process ?? (await this.start())).program.end('SIGTERM');
    } finally {
      await this.simulator.stop();
      await this.removeFolder();
    }
  }

  private async createTenant(): Promise<void> {
    const account = await this.running.manage('POST', '/api/v1/accounts', { name: 'crash' });
    const accountId = String(account.body['id']);
    this.accountIds.push(accountId);
    await this.running.manage('POST', `/api/v1/accounts/${accountId}/top-ups`, { amount: TOP_UP_USD });
    const issue = async (group: string) => String((await this.running.manage('POST', '/api/v1/keys', { account: accountId, group })).body['key']);
    this.keys = { openai: await issue('openai'), anthropic: await issue('anthropic'), gemini: await issue('gemini') };
  }
}
