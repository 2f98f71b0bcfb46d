import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, symlink } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import { type TemporaryFolder, makeTemporaryFolder } from '../temporary-folder.js';
import { waitFor } from '../wait-for.js';
import { findJava } from './java.js';
import { startRedis } from './redis.js';

const OWNER = join(import.meta.dirname, 'fixtures', 'server-owner.mjs');
/** Starting Java takes its time on a machine that has much else to do. */
const LONG_MS = 300_000;
let folder: TemporaryFolder;

interface Report {
  processIds: number[];
  failures: string[];
  redisUrl?: string;
}

beforeEach(async () => {
  folder = await makeTemporaryFolder('owner');
});

afterEach(() => folder.remove());

function runs(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch {
    return false;
  }
}

/** Starts an owner; `end` kills it with -9 when it has not ended by itself. */
async function own(names: string[], env: Record<string, string | undefined> = {}): Promise<Report & { end: () => Promise<void> }> {
  const owner = spawn(process.execPath, [OWNER, folder.path, ...names], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...env } });
  const ended = once(owner, 'exit');
  const [line] = (await once(createInterface({ input: owner.stdout }), 'line')) as [string];
  const end = async (): Promise<void> => {
    owner.kill('SIGKILL');
    await ended;
  };
  return { ...(JSON.parse(line) as Report), end };
}

describe('an owner of servers that is killed with -9', () => {
  it('leaves no server behind, and the next owner finds the data', async () => {
    const { processIds, redisUrl = '', end } = await own(['kafka', 'redis', 'postgres']);
    expect(processIds.map(runs)).toEqual([true, true, true]);
    const before = new Redis(redisUrl);
    await before.set('kept', 'yes');
    before.disconnect();

    await end();
    const redis = await startRedis({ folder: folder.path, docker: false });
    const after = new Redis(redis.url);
    expect(await after.get('kept')).toBe('yes');
    after.disconnect();
    await redis.stop();
    await waitFor(() => !processIds.some(runs), { what: 'the end of all servers', deadlineMs: 60_000 });
  }, LONG_MS);
});

describe('a server that cannot be had', () => {
  it('is refused with what to install, on a machine that has nothing', async () => {
    const { failures, end } = await own(['kafka', 'redis'], { PATH: folder.path, JAVA_HOME: undefined, TOKONE_SERVERS_CACHE: join(folder.path, 'cache') });
    await end();
    expect(failures).toEqual([expect.stringMatching(/^Apache Kafka needs Java 17 or later: install openjdk-17-jre-headless/), expect.stringMatching(/apt-get install redis-server.*REDIS_URL/)]);
  });

  it('is refused with what to install, on a machine that has only Java', async () => {
    const programs = join(folder.path, 'programs');
    await mkdir(programs);
    const java = await findJava();
    await symlink(isAbsolute(java) ? java : execFileSync('which', [java], { encoding: 'utf8' }).trim(), join(programs, 'java'));
    const { failures, end } = await own(['kafka'], { PATH: programs, TOKONE_SERVERS_CACHE: join(folder.path, 'cache') });
    await end();
    expect(failures).toEqual([expect.stringMatching(/install maven.*KAFKA_BROKERS/)]);
  });
});
