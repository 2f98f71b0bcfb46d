import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { startFirst } from './docker.js';
import { chooseFreePort, retryTakenPorts } from './free-ports.js';
import { LocalServer, type OwnedServer } from './owned-server.js';
import { runProgram } from './program-run.js';
import { redisAnswers } from './server-contact.js';

const PROGRAM = 'redis-server';
const IMAGE = 'redis:7';
const PORT_INSIDE = 6379;
const VERSION_TIMEOUT_MS = 10_000;
const START_TIMEOUT_MS = 30_000;
/** Specs that run at the same time may each take a database of their own. */
const DATABASES = 256;

export interface RedisOptions {
  /** The caller's, who removes it. Data that is there already is used. */
  folder: string;
  /** The url of one that somebody else runs: it is used, and never stopped. */
  existing?: string | undefined;
  /** False where the data must outlive the run. Default true. */
  docker?: boolean;
  /** More of its settings, for a program of this machine. */
  args?: readonly string[];
}

export interface RedisServer extends OwnedServer {
  /** `redis://host:port`. */
  readonly url: string;
}

/**
 * Redis with an append-only file that is synced each second: the one that is named, else in a container when a Docker
 * engine answers, else the machine's program.
 * @throws with a sentence that says what to install when none of this is to be had
 */
export async function startRedis(options: RedisOptions): Promise<RedisServer> {
  if (options.existing !== undefined) return foreignRedis(options.existing);
  return startFirst('Redis', {
    docker: options.docker === false ? undefined : startRedisContainer,
    machine: () => retryTakenPorts(() => startLocalRedis(options)),
  });
}

async function startLocalRedis({ folder: parent, docker = true, args = [] }: RedisOptions): Promise<RedisServer> {
  if ((await runProgram(PROGRAM, ['--version'], { timeoutMs: VERSION_TIMEOUT_MS })) === undefined) {
    throw new Error(`There is no ${PROGRAM} on this machine: install it (apt-get install redis-server)${docker ? ', start a Docker engine' : ''}, or name a server in REDIS_URL.`);
  }
  const folder = join(parent, 'redis');
  await mkdir(folder, { recursive: true });
  const port = await chooseFreePort();
  const program = {
    title: 'Redis',
    file: PROGRAM,
    args: ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, ...durability(), '--databases', String(DATABASES), ...args],
    env: { PATH: process.env['PATH'] ?? '' },
    folder,
    logFile: join(folder, 'redis.log'),
  };
  const server = new LocalServer({ program, isReady: () => redisAnswers(port), startTimeoutMs: START_TIMEOUT_MS });
  await server.start();
  return Object.assign(server, { url: `redis://127.0.0.1:${port}` });
}

async function startRedisContainer(): Promise<RedisServer> {
  const { ContainerServer, engineHost } = await import('./container-server.js');
  const [host, port] = [await engineHost(), await chooseFreePort()];
  const server = await ContainerServer.start({
    image: process.env['TOKONE_REDIS_IMAGE'] ?? IMAGE,
    port: { inside: PORT_INSIDE, outside: port },
    // In a network of its own everybody is a stranger to it.
    command: [PROGRAM, ...durability(), '--databases', String(DATABASES), '--protected-mode', 'no'],
    isReady: () => redisAnswers(port, host),
  });
  await server.untilReady();
  return Object.assign(server, { url: `redis://${host}:${port}` });
}

function durability(): string[] {
  return ['--save', '', '--appendonly', 'yes', '--appendfsync', 'everysec'];
}

function foreignRedis(url: string): RedisServer {
  const refuse = async (): Promise<void> => {
    throw new Error('This Redis belongs to whoever named it in REDIS_URL: it is used, not harmed.');
  };
  return { url, processId: undefined, stop: async () => undefined, kill: refuse, discard: async () => undefined, pause: refuse, resume: refuse, start: refuse };
}
