import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '@tokone/persistence';
import { WORKSPACE } from '../child-program.js';
import { chooseFreePort } from './free-ports.js';
import type { ServerExit } from './guarded-process.js';
import type { OwnedServer } from './owned-server.js';
import { runProgram } from './program-run.js';

const GUARD = join(WORKSPACE, 'libs', 'testing', 'src', 'servers', 'postmaster-guard.mjs');
/** Several deployments at once, each of many processes with a pool. */
const MAX_CONNECTIONS = 300;
const LIST_TIMEOUT_MS = 10_000;

export interface PostgresOptions {
  /** The caller's, who removes it. Data that is there already is used. */
  folder: string;
  /** The url of one that somebody else runs: it is used, and never stopped. */
  existing?: string | undefined;
  /** PostgreSQL's own settings. */
  settings?: Readonly<Record<string, string>>;
}

export interface PostgresServer extends OwnedServer {
  /** `postgres://superuser:password@host:port/database`. The same after each start. */
  readonly url: string;
}

/**
 * PostgreSQL: the one that is named, else the server that the product brings with it, which is at hand wherever the product
 * runs. It takes no container: that would be another version than the product's own, and slower to start.
 */
export async function startPostgres({ folder, existing, settings }: PostgresOptions): Promise<PostgresServer> {
  if (existing !== undefined) return foreignPostgres(existing);
  const dataFolder = join(folder, 'postgres');
  await mkdir(dataFolder, { recursive: true });
  const server = new LocalPostgres(dataFolder, { max_connections: String(MAX_CONNECTIONS), ...settings });
  await server.start();
  return server;
}

/** The product's embedded server with a guard, since it would outlive a kill of this process. */
class LocalPostgres implements PostgresServer {
  url = '';
  private server: EmbeddedPostgres | undefined;
  private guard: ChildProcess | undefined;
  private running = false;
  private port: number | undefined;

  constructor(
    private readonly dataFolder: string,
    private readonly settings: Readonly<Record<string, string>>,
  ) {}

  get processId(): number | undefined {
    return this.running ? this.server?.processId : undefined;
  }

  get exited(): Promise<ServerExit> | undefined {
    return this.server?.exited;
  }

  get logFile(): string {
    return join(this.dataFolder, 'postgres.log');
  }

  async start(): Promise<void> {
    if (this.running) throw new Error('PostgreSQL runs already.');
    // One that ended by itself still holds the lock of its folder.
    await this.stop();
    this.guard = spawn(process.execPath, [GUARD, join(this.dataFolder, 'cluster')], { detached: true, stdio: ['pipe', 'ignore', 'inherit'] });
    const { dataFolder, settings } = this;
    // Any the first time, the same for ever after.
    const choosePort = async (): Promise<number> => this.port ?? chooseFreePort();
    try {
      this.server = await startEmbeddedPostgres({ dataFolder, settings, choosePort });
      this.port = this.server.port;
    } catch (error) {
      this.dismissGuard();
      throw error;
    }
    this.url = this.server.url;
    this.guard.stdin?.on('error', () => undefined).write(`${this.server.processId}\n`);
    this.running = true;
    void this.server.exited.then(() => (this.running = false));
  }

  /** The postmaster and all its processes, as when the machine dies. */
  async kill(): Promise<void> {
    await this.signalAll('SIGKILL');
    await this.stop();
  }

  async stop(): Promise<void> {
    const { server } = this;
    if (server === undefined) return;
    await this.signalAll('SIGCONT');
    this.server = undefined;
    await server.stop();
    this.dismissGuard();
  }

  /** In order, since the shared memory of a killed one would stay. */
  async discard(): Promise<void> {
    await this.stop();
  }

  /** A postmaster alone would only take no new connections. */
  async pause(): Promise<void> {
    await this.signalAll('SIGSTOP');
  }

  async resume(): Promise<void> {
    await this.signalAll('SIGCONT');
  }

  private async signalAll(name: NodeJS.Signals): Promise<void> {
    const { processId } = this;
    if (processId === undefined) return;
    // The postmaster first, so that it starts no more of them.
    signalIfRunning(processId, name);
    for (const child of await childrenOf(processId)) signalIfRunning(child, name);
  }

  private dismissGuard(): void {
    this.guard?.kill('SIGKILL');
    this.guard = undefined;
  }
}

async function childrenOf(parent: number): Promise<number[]> {
  const output = await runProgram('ps', ['-A', '-o', 'pid=,ppid='], { timeoutMs: LIST_TIMEOUT_MS });
  const pairs = (output?.stdout ?? '').split('\n').map((line) => line.trim().split(/\s+/).map(Number));
  return pairs.flatMap(([pid, ppid]) => (pid !== undefined && ppid === parent ? [pid] : []));
}

function signalIfRunning(processId: number, name: NodeJS.Signals): void {
  try {
    process.kill(processId, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function foreignPostgres(url: string): PostgresServer {
  const refuse = async (): Promise<void> => {
    throw new Error('This PostgreSQL belongs to whoever named it in DATABASE_URL: it is used, not harmed.');
  };
  return { url, processId: undefined, stop: async () => undefined, kill: refuse, discard: async () => undefined, pause: refuse, resume: refuse, start: refuse };
}
