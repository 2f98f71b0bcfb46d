import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { chooseFreePorts, retryTakenPorts } from './free-ports.js';
import { LocalServer } from './owned-server.js';
import type { OwnedServer } from './owned-server.js';
import { runProgram } from './program-run.js';
import { redisAnswers } from './server-contact.js';

const PROGRAM = 'redis-server';
const CLI = 'redis-cli';
const NODES = 3;
const HOST = '127.0.0.1';
const START_TIMEOUT_MS = 30_000;
const CREATE_TIMEOUT_MS = 60_000;
/** A node that does not answer its peers for so long is failed. */
const NODE_TIMEOUT_MS = 2_000;

export interface RedisCluster {
  /** Addresses of all nodes, with commas in between. */
  readonly url: string;
  readonly nodes: readonly (OwnedServer & { port: number })[];
  /** Ends all of it; the data is thrown away. */
  discard(): Promise<void>;
}

/**
 * A Redis Cluster of three masters, as processes of this machine; data below `folder`, which is the caller's.
 * @throws with a sentence that says what to install when the machine has no Redis
 */
export async function startRedisCluster({ folder }: { folder: string }): Promise<RedisCluster> {
  return retryTakenPorts(() => startNodes(folder));
}

async function startNodes(folder: string): Promise<RedisCluster> {
  const ports = await chooseFreePorts(NODES * 2);
  const nodes = await Promise.all(Array.from({ length: NODES }, (_, index) => nodeOf(folder, ports[index] ?? 0, ports[NODES + index] ?? 0)));
  const discard = async (): Promise<void> => void (await Promise.all(nodes.map((node) => node.discard())));
  try {
    await Promise.all(nodes.map((node) => node.start()));
    const addresses = nodes.map(({ port }) => `${HOST}:${port}`);
    const created = await runProgram(CLI, ['--cluster', 'create', ...addresses, '--cluster-yes'], { timeoutMs: CREATE_TIMEOUT_MS });
    if (created === undefined) throw new Error(`There is no ${CLI} on this machine: install it (apt-get install redis-tools).`);
    return { url: addresses.map((address) => `redis://${address}`).join(','), nodes, discard };
  } catch (error) {
    await discard();
    throw error;
  }
}

async function nodeOf(parent: string, port: number, busPort: number): Promise<LocalServer & { port: number }> {
  const folder = join(parent, `redis-${port}`);
  await mkdir(folder, { recursive: true });
  const cluster = ['--cluster-enabled', 'yes', '--cluster-port', String(busPort), '--cluster-node-timeout', String(NODE_TIMEOUT_MS)];
  const program = {
    title: `Redis node ${port}`,
    file: PROGRAM,
    args: ['--port', String(port), '--bind', HOST, '--dir', folder, '--save', '', '--appendonly', 'yes', '--appendfsync', 'everysec', ...cluster],
    env: { PATH: process.env['PATH'] ?? '' },
    folder,
    logFile: join(folder, 'redis.log'),
  };
  const server = new LocalServer({ program, isReady: () => redisAnswers(port), startTimeoutMs: START_TIMEOUT_MS });
  return Object.assign(server, { port });
}
