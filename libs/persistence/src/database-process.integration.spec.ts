import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { chown, mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { openPool } from './database.js';
import { startEmbeddedPostgres } from './embedded-postgres.js';
import { processStart } from './process-identity.js';

const program = join(import.meta.dirname, 'fixtures', 'database-process.mjs');
const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;
const DEADLINE_MS = 30_000;
let scratch: string;
let dataFolder: string;
let owners: OwnerProcess[];

interface OwnerEvent {
  event: 'starting' | 'ready' | 'refused' | 'interrupted' | 'stopped';
  url?: string;
  processId?: number;
  name?: string;
  message?: string;
}

/** A process that starts the database as TokOne does, in a process group of its own. */
class OwnerProcess {
  readonly child: ChildProcessWithoutNullStreams;
  readonly exited: Promise<unknown>;
  private readonly events: AsyncIterator<string>;
  private errors = '';

  constructor(folder: string, { uid, prefix = [] }: { uid?: number; prefix?: string[] } = {}) {
    const identity = uid === undefined ? {} : { uid, gid: uid };
    const [file = '', ...args] = [...prefix, process.execPath, program, JSON.stringify({ dataFolder: folder })];
    this.child = spawn(file, args, { ...identity, detached: true });
    this.exited = new Promise((resolve) => this.child.once('exit', resolve));
    this.events = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
    this.child.stderr.on('data', (chunk: Buffer) => (this.errors += chunk.toString()));
    owners.push(this);
  }

  async next(): Promise<OwnerEvent> {
    const { value, done } = await this.events.next();
    if (done) throw new Error(`the process ended: ${this.errors}`);
    return JSON.parse(value as string) as OwnerEvent;
  }

  async ready(): Promise<{ url: string; processId: number }> {
    expect((await this.next()).event).toBe('starting');
    const { event, url, processId, message } = await this.next();
    if (event !== 'ready') throw new Error(message);
    return { url: url ?? '', processId: processId ?? 0 };
  }

  async stop(): Promise<void> {
    this.child.stdin.write('stop\n');
    while ((await this.next()).event !== 'stopped');
    await this.exited;
  }
}

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'tokone-owner-'));
  dataFolder = join(scratch, 'data');
  owners = [];
});

afterEach(async () => {
  for (const owner of owners) {
    owner.child.kill('SIGKILL');
    await owner.exited;
  }
  // What a test left behind, as after a failure, is ended by the product's own recovery.
  if ((await readdir(scratch)).includes('data')) await (await startEmbeddedPostgres({ dataFolder })).stop();
  await rm(scratch, { recursive: true, force: true });
});

async function query(url: string, sql: string): Promise<unknown[]> {
  const pool = openPool({ url, poolSize: 1, statementTimeoutMs: 10_000 });
  try {
    return (await pool.query(sql)).rows as unknown[];
  } finally {
    await pool.end();
  }
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  while (!(await condition())) {
    deadline.throwIfAborted();
    await delay(5);
  }
}

describe('a process that owns an embedded PostgreSQL', () => {
  it('may be killed: the next start ends the server left behind and has all committed data', async () => {
    const killed = new OwnerProcess(dataFolder);
    const first = await killed.ready();
    await query(first.url, 'CREATE TABLE kept AS SELECT 1 AS one');
    killed.child.kill('SIGKILL');
    await killed.exited;
    expect(await processStart(first.processId)).toBeDefined();

    const next = new OwnerProcess(dataFolder);
    const second = await next.ready();
    expect(await processStart(first.processId)).toBeUndefined();
    expect(await query(second.url, 'SELECT one FROM kept')).toEqual([{ one: 1 }]);
    await next.stop();
    expect(await processStart(second.processId)).toBeUndefined();
  });

  it('may be killed while initdb runs: the next start makes the cluster anew', async () => {
    const killed = new OwnerProcess(dataFolder);
    expect((await killed.next()).event).toBe('starting');
    await until(async () => (await readdir(dataFolder).catch(() => [])).some((name) => name.startsWith('cluster.unfinished')));
    killed.child.kill('SIGKILL');
    await killed.exited;
    expect(await readdir(dataFolder)).not.toContain('cluster');

    const next = new OwnerProcess(dataFolder);
    const { url } = await next.ready();
    expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await next.stop();
  });

  it('keeps its database through Ctrl-C, which reaches the whole process group, until it stops it itself', async () => {
    const owner = new OwnerProcess(dataFolder);
    const { url } = await owner.ready();
    process.kill(-Number(owner.child.pid), 'SIGINT');
    expect((await owner.next()).event).toBe('interrupted');
    expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await owner.stop();
  });

  it('refuses a second process on its folder, by its process id, and goes on', async () => {
    const first = new OwnerProcess(dataFolder);
    const { url } = await first.ready();
    const second = new OwnerProcess(dataFolder);
    expect((await second.next()).event).toBe('starting');
    expect(await second.next()).toMatchObject({
      event: 'refused',
      name: 'StartupError',
      message: expect.stringContaining(`as process ${first.child.pid}:`),
    });
    expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await first.stop();
  });

  it('is one of two that start at once; the other is refused', async () => {
    const both = [new OwnerProcess(dataFolder), new OwnerProcess(dataFolder)];
    const outcomes = await Promise.all(
      both.map(async (owner) => {
        await owner.next();
        return (await owner.next()).event;
      }),
    );
    expect(outcomes.toSorted()).toEqual(['ready', 'refused']);
    await both[outcomes.indexOf('ready')]?.stop();
  });
});

// Only root can start a process as another user; for anybody else all of the tests above prove this.
if (isRoot) describe('a normal user', () => {
  it('runs the server itself, in a folder of its own', async () => {
    await chown(scratch, NOBODY, NOBODY);
    const owner = new OwnerProcess(dataFolder, { uid: NOBODY });
    const { url } = await owner.ready();
    expect((await stat(join(dataFolder, 'cluster'))).uid).toBe(NOBODY);
    expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await owner.stop();
  });

  it('is told in a sentence that the folder is not writable', async () => {
    await mkdir(join(scratch, 'closed'));
    await chown(scratch, NOBODY, NOBODY);
    const owner = new OwnerProcess(join(scratch, 'closed'), { uid: NOBODY });
    expect((await owner.next()).event).toBe('starting');
    expect(await owner.next()).toMatchObject({ event: 'refused', name: 'StartupError', message: expect.stringContaining('may not write to') });
  });
});

if (isRoot && process.platform === 'linux') describe('a full disk', () => {
  it('is told in a sentence, and leaves no half cluster', async () => {
    const small = join(scratch, 'small');
    await mkdir(small);
    const mount = 'mount -t tmpfs -o size=12m small "$0" && "$@" && ls "$0"';
    const owner = new OwnerProcess(small, { prefix: ['unshare', '--mount', 'sh', '-c', mount, small] });
    expect((await owner.next()).event).toBe('starting');
    expect(await owner.next()).toMatchObject({ event: 'refused', name: 'StartupError', message: expect.stringMatching(/^The disk that holds .* is full:/) });
    // The next lines would be what stands in the folder.
    await expect(owner.next()).rejects.toThrow('the process ended: ');
  });
});
