import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openPool } from '@tokone/persistence';
import type { Pool } from '@tokone/persistence';
import { ServicesProcess, SimulatorProcess, chooseFreePort, makeTemporaryFolder, waitFor } from '@tokone/testing';
import type { TemporaryFolder } from '@tokone/testing';
import type { ClientCall } from '../crash/client-call.js';
import { findFaults } from '../crash/judgement.js';
import { Load } from '../crash/load.js';
import type { LoadOptions, TenantKeys } from '../crash/load.js';
import { noEvidence, readSpoolEvidence } from '../crash/spool-evidence.js';
import type { SpoolEvidence } from '../crash/spool-evidence.js';
import type { SeededRandom } from '../crash/seeded-random.js';
import { FragileServers } from './fragile-servers.js';
import type { FragileServersOptions } from './fragile-servers.js';
import { PipelineEnds } from './pipeline-ends.js';
import { findInexcusable } from './failed-calls.js';
import { findMismatches } from './mismatches.js';
import type { Excuse } from './failed-calls.js';
import { isRunning, standStill } from './process-state.js';
import type { Outage } from './process-state.js';

export interface ServicesDeploymentOptions {
  random: SeededRandom;
  env?: Readonly<Record<string, string>>;
  /** Servers of its own, to be harmed; those that are not named are the whole run's. */
  servers?: FragileServersOptions;
  /** It has a data folder and a public port that outlive a stop. */
  keepsData?: boolean;
  /** Default: one, without a balancer. */
  gateways?: number;
  /** Of billing, account and each adapter. Default 2. */
  replicas?: number;
}

/** What the services stand on. */
interface Ground {
  random: SeededRandom;
  simulator: SimulatorProcess;
  servers: FragileServers;
  folder: TemporaryFolder | undefined;
  start(): Promise<ServicesProcess>;
}

/** For faults that adapters have no part in: the gateway hosts them. */
export const FEWER_PROCESSES = { TOKONE_ADAPTERS: 'in-process' };
const SETTLED_DEADLINE_MS = 60_000;
const TOP_UP_USD = '1000';
/** Events are spread by account: so many fill several partitions. */
const TENANTS = 6;
const RESTART_DEADLINE_MS = 90_000;
const LOAD_DEADLINE_MS = 90_000;
const STOP_DEADLINE_MS = 90_000;

/** All services, two of each but the gateway unless told otherwise, in front of a provider that knows the truth, with tenants whose calls are judged. */
export class ServicesDeployment {
  readonly calls: ClientCall[] = [];
  readonly evidence = noEvidence();
  readonly tenants: TenantKeys[] = [];
  readonly accountIds: string[] = [];
  private readonly unread = new Set<string>();
  private readonly running = new Set<Load>();

  private constructor(
    private readonly ground: Ground,
    public services: ServicesProcess,
  ) {}

  get servers(): FragileServers {
    return this.ground.servers;
  }

  static async create({ random, env, servers = {}, keepsData = false, gateways = 1, replicas = 2 }: ServicesDeploymentOptions): Promise<ServicesDeployment> {
    const simulator = await SimulatorProcess.start();
    const fragile = await FragileServers.start(servers);
    const folder = keepsData ? await makeTemporaryFolder('kept-services') : undefined;
    const place = folder && { dataFolder: folder.path };
    const port: Record<string, string> = keepsData ? { PORT: String(await chooseFreePort()) } : {};
    try {
      const start = () => ServicesProcess.start({ gateways, replicas, servers: fragile.addresses, ...place, env: { ...simulator.upstreamSettings, ...port, ...env } });
      const deployment = new ServicesDeployment({ random, simulator, servers: fragile, start, folder }, await start());
      for (let tenant = 0; tenant < TENANTS; tenant++) await deployment.addTenant();
      return deployment;
    } catch (error) {
      await fragile.stop();
      await simulator.stop();
      await folder?.remove();
      throw error;
    }
  }

  get baseUrl(): string {
    return this.services.addresses.baseUrl;
  }

  /** Clients that go on whatever happens; their calls are judged with all others. `baseUrl`: of one gateway, instead of all. */
  startLoad({ baseUrl = this.baseUrl, ...options }: Partial<LoadOptions> & { clients: number; baseUrl?: string }): Load {
    const load = new Load({ random: this.ground.random, keys: this.tenants, goesOn: true, ...options });
    this.running.add(load);
    load.start(baseUrl);
    return load;
  }

  /** Nothing new is sent, and what runs is over. */
  async endLoad(load: Load): Promise<void> {
    this.running.delete(load);
    await load.stop();
    this.calls.push(...load.calls);
  }

  /** What a test that failed left running would be in the way of the next one. */
  async endLoads(): Promise<void> {
    await Promise.all([...this.running].map((load) => this.endLoad(load)));
  }

  /** kill -9 of a service, and the wait until its supervisor has it serving again. Returns when it was dead, by the process's clock. */
  async killAndWait(name: string): Promise<Outage> {
    const fromMs = performance.now();
    const processId = await this.services.signal(name, 'SIGKILL');
    await this.services.restarted(name, processId, RESTART_DEADLINE_MS);
    return { fromMs, toMs: performance.now() };
  }

  /**
   * The same for a gateway, with what its spool then held. It is read while the supervisor starts the next one, which
   * writes nothing before the lock of the folder names it.
   */
  async killGateway(number = 1): Promise<Outage & { evidence: SpoolEvidence }> {
    const fromMs = performance.now();
    const name = `gateway-${number}`;
    const processId = await this.services.signal(name, 'SIGKILL');
    await waitFor(() => !isRunning(processId), { what: 'the gateway to be gone', deadlineMs: 10_000, intervalMs: 1 });
    const folder = this.services.spoolFolders[number - 1] ?? '';
    const evidence = await this.readSpool(folder);
    const { pid } = JSON.parse(await readFile(join(folder, 'spool.lock'), 'utf8')) as { pid: number };
    if (pid !== processId) throw new Error(`the spool was read too late to be evidence: the next gateway had it ${Math.round(performance.now() - fromMs)} ms after the kill`);
    await this.services.restarted(name, processId, RESTART_DEADLINE_MS);
    return { fromMs, toMs: performance.now(), evidence };
  }

  /** Stands still for so long, then goes on. */
  async pause(names: readonly string[], lengthMs: number): Promise<Outage> {
    const processIds = await Promise.all(names.map(async (name) => (await this.services.service(name)).processId));
    return standStill({ stop: () => processIds.forEach((id) => process.kill(id, 'SIGSTOP')), go: () => processIds.forEach((id) => process.kill(id, 'SIGCONT')), lengthMs });
  }

  /** Waits for so many calls more to end. */
  async ended(load: Load, calls: number): Promise<void> {
    const moment = load.endedCalls + calls;
    await waitFor(() => load.endedCalls >= moment, { what: `${calls} calls to end`, deadlineMs: LOAD_DEADLINE_MS, intervalMs: 1 });
  }

  /** Waits for so many whole answers to calls that began later. */
  async served(load: Load, calls: number, sinceMs = performance.now()): Promise<void> {
    const whole = () => load.calls.filter(({ sawEnd, startedAtMs }) => sawEnd && startedAtMs > sinceMs).length;
    await waitFor(() => whole() >= calls, { what: `${calls} whole answers`, deadlineMs: LOAD_DEADLINE_MS });
  }

  /** Ends the load, waits until all is quiet, and says what is wrong: with the money of all calls until now, and with the answers to this load's. */
  async verdict(load: Load, excuses: readonly Excuse[], { unread }: { unread?: ReadonlySet<string> } = {}): Promise<Verdict> {
    await this.endLoad(load);
    await this.settled();
    for (const tag of unread ?? []) this.unread.add(tag);
    return { faults: await this.findFaults(), inexcusable: findInexcusable(load.calls, excuses) };
  }

  /** Waits until nothing is on its way any more, from the gateway to the ledger. */
  async settled(): Promise<void> {
    let last: unknown;
    const quiet = async (): Promise<boolean> => {
      last = await this.services.gatewayProblems();
      if ((last as string[]).length > 0) return false;
      const { running, held, settled } = await this.services.holds();
      last = { running, held, settled };
      return running === 0 && held === 0 && settled === 0;
    };
    await waitFor(quiet, { what: 'no hold to be left', deadlineMs: SETTLED_DEADLINE_MS, intervalMs: 100 }).catch((error: Error) => {
      throw new Error(`${error.message}: ${JSON.stringify(last)}`);
    });
    const ends = new PipelineEnds(this.services.kafka);
    await ends.passed(() => this.query(isOutboxEmpty), SETTLED_DEADLINE_MS);
  }

  /** Everything that is wrong with the money of all calls until now, when it is settled. */
  async findFaults(): Promise<string[]> {
    const spools = await Promise.all(this.services.spoolFolders.map(readSpoolEvidence));
    const faults = spools.flatMap((spool) => [...spool.openOnly, ...spool.partial]).map((id) => `${id} is open in the spool for ever`);
    faults.push(...(await findMismatches(this.services)));
    faults.push(...(await this.query((pool) => findUnrated(pool, [...this.evidence.closed.keys(), ...spools.flatMap(({ closed }) => [...closed.keys()])]))));
    const { databaseUrl } = this.services.addresses;
    const { accountIds, calls, evidence, unread } = this;
    return [...faults, ...(await findFaults({ databaseUrl, accountIds, calls, evidence, unread, truth: await this.ground.simulator.truth() }))];
  }

  /** A new account with a key of each group; its calls are judged like all others. */
  async addTenant(): Promise<TenantKeys> {
    const account = await this.services.manage('POST', '/api/v1/accounts', { name: 'crash' });
    const accountId = String(account.body['id']);
    await this.services.manage('POST', `/api/v1/accounts/${accountId}/top-ups`, { amount: TOP_UP_USD });
    const issue = async (group: string) => String((await this.services.manage('POST', '/api/v1/keys', { account: accountId, group })).body['key']);
    this.accountIds.push(accountId);
    const keys = { openai: await issue('openai'), anthropic: await issue('anthropic'), gemini: await issue('gemini') };
    this.tenants.push(keys);
    return keys;
  }

  async query<Answer>(ask: (pool: Pool) => Promise<Answer>): Promise<Answer> {
    const pool = openPool({ url: this.services.addresses.databaseUrl, poolSize: 2, statementTimeoutMs: 30_000, applicationName: 'crash evidence' });
    try {
      return await ask(pool);
    } finally {
      await pool.end();
    }
  }

  /** Ends the supervisor and waits until its services are gone. Returns its exit code. */
  async stopServices(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
    const processIds = (await this.services.services()).map(({ processId }) => processId);
    const { code } = await this.services.program.end(signal, STOP_DEADLINE_MS);
    await waitFor(() => !processIds.some((processId) => processId !== null && isRunning(processId)), { what: 'the services to end', deadlineMs: STOP_DEADLINE_MS });
    return code;
  }

  /** Starts the services again on the data that they left. */
  async restart(): Promise<void> {
    this.services = await this.ground.start();
  }

  /** Ends everything in order; the exit code of the supervisor. */
  async dispose(): Promise<number | null> {
    const { servers, simulator, folder } = this.ground;
    try {
      return await this.services.stop();
    } finally {
      await servers.stop();
      await simulator.stop();
      await folder?.remove();
    }
  }

  private async readSpool(folder: string): Promise<SpoolEvidence> {
    const found = await readSpoolEvidence(folder);
    const { openOnly, partial, closed, extended } = this.evidence;
    for (const id of found.openOnly) openOnly.add(id);
    for (const id of found.partial) partial.add(id);
    for (const [id, holdNanoUsd] of found.extended) extended.set(id, holdNanoUsd);
    for (const [id, outcome] of found.closed) if (!openOnly.has(id) && !partial.has(id)) closed.set(id, outcome);
    return found;
  }
}

export interface Verdict {
  faults: string[];
  inexcusable: string[];
}

/** Nothing is wrong. */
export const CLEAN: Verdict = { faults: [], inexcusable: [] };

async function isOutboxEmpty(pool: Pool): Promise<boolean> {
  return (await pool.query('SELECT 1 FROM billing.outbox LIMIT 1')).rowCount === 0;
}

/** What the spool once had as ended has a usage row each, and what was refused costs nothing. */
async function findUnrated(pool: Pool, closed: readonly string[]): Promise<string[]> {
  const unrated = await pool.query<{ id: string }>('SELECT id FROM unnest($1::uuid[]) AS id WHERE NOT EXISTS (SELECT 1 FROM billing.usage u WHERE u.id = id.id)', [closed]);
  const refused = await pool.query<{ id: string }>('SELECT id FROM billing.usage WHERE NOT admitted AND charge_nano_usd <> 0');
  return [...unrated.rows.map(({ id }) => `${id} was in the spool as ended and has no usage row`), ...refused.rows.map(({ id }) => `${id} was refused and charged`)];
}
