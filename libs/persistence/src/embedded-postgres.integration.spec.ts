import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { chmod, chown, cp, mkdir, mkdtemp, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { openPool } from './database.js';
import { type EmbeddedPostgres, type EmbeddedPostgresOptions, startEmbeddedPostgres } from './embedded-postgres.js';
import { lockFolder } from './folder-lock.js';
import { findPostgresBinaries, hydrateLibraryLinks } from './postgres-binaries.js';
import { choosePostgresUser } from './postgres-user.js';
import { processCommandLine, processStart } from './process-identity.js';

const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;
/** A cluster that tests share, because making one takes a second; each starts and stops its own server on it. */
let existing: string;
let scratch: string;
let dataFolder: string;
let running: EmbeddedPostgres[];

beforeAll(async () => {
  existing = await mkdtemp(join(tmpdir(), 'tokone-existing-'));
  await (await startEmbeddedPostgres({ dataFolder: existing })).stop();
});

afterAll(async () => {
  await rm(existing, { recursive: true, force: true });
});

beforeEach(async () => {
  // mkdtemp makes it 0700: as root every test here runs below a folder that no other user may enter.
  scratch = await mkdtemp(join(tmpdir(), 'tokone-postgres-'));
  dataFolder = join(scratch, 'data');
  running = [];
});

afterEach(async () => {
  for (const database of running) await database.stop();
  await rm(scratch, { recursive: true, force: true });
});

async function start(options: Partial<EmbeddedPostgresOptions> = {}): Promise<EmbeddedPostgres> {
  const database = await startEmbeddedPostgres({ dataFolder, ...options });
  running.push(database);
  return database;
}

async function query(database: EmbeddedPostgres, sql: string): Promise<Record<string, unknown>[]> {
  const pool = openPool({ url: database.url, poolSize: 1, statementTimeoutMs: 10_000 });
  try {
    return (await pool.query(sql)).rows as Record<string, unknown>[];
  } finally {
    await pool.end();
  }
}

describe('the first start', () => {
  it('makes a cluster with the database tokone, reachable on 127.0.0.1 alone', async () => {
    const database = await start();
    expect(database.url).toMatch(/^postgres:\/\/tokone:[\w-]{43}@127\.0\.0\.1:\d+\/tokone$/);
    const [row] = await query(
      database,
      `SELECT current_database() AS database, upper('é') AS upper, current_setting('listen_addresses') AS addresses,
        current_setting('unix_socket_directories') AS sockets, current_setting('fsync') AS fsync,
        current_setting('synchronous_commit') AS commit, current_setting('server_encoding') AS encoding`,
    );
    expect(row).toEqual({
      database: 'tokone', upper: 'É', addresses: '127.0.0.1', sockets: '', fsync: 'on', commit: 'on', encoding: 'UTF8',
    });
  });

  it('gives each cluster a random password of its own, readable by its owner alone', async () => {
    const first = await start();
    const second = await start({ dataFolder: join(scratch, 'other') });
    expect(new URL(first.url).password).not.toBe(new URL(second.url).password);
    const file = join(dataFolder, 'postgres-password');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await readFile(file, 'utf8')).trim()).toBe(new URL(first.url).password);
    expect((await stat(join(dataFolder, 'postgres.log'))).mode & 0o777).toBe(0o600);
  });

  it('removes what an initdb left that was killed midway', async () => {
    const leftover = join(dataFolder, 'cluster.unfinished-0123');
    await mkdir(join(leftover, 'cluster', 'base'), { recursive: true });
    await writeFile(join(leftover, 'cluster', 'PG_VERSION'), '18\n');
    await writeFile(join(dataFolder, 'postgres-password'), 'of-the-attempt-that-failed\n');
    const database = await start();
    expect(await query(database, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect((await readdir(dataFolder)).toSorted()).toEqual(['cluster', 'lock', 'postgres-password', 'postgres.log']);
  });

  it('says in a sentence that a start which takes too long was given up, and leaves nothing running', async () => {
    await expect(start({ startTimeoutMs: 1 })).rejects.toMatchObject({ name: 'StartupError', message: expect.stringContaining('took too long') });
    expect((await readdir(dataFolder)).toSorted()).toEqual([]);
    expect(await query(await start(), 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });
});

describe('a start on an existing cluster', () => {
  beforeEach(() => {
    dataFolder = existing;
  });

  afterEach(async () => {
    await running.at(-1)?.stop();
    await query(await start(), 'DROP TABLE IF EXISTS kept');
  });

  it('reports the process id of the server itself, and leaves no process behind after stop()', async () => {
    const database = await start();
    expect(await processCommandLine(database.processId)).toContain('bin/postgres -D');
    await database.stop();
    await database.stop();
    expect(await processStart(database.processId)).toBeUndefined();
    expect(await database.exited).toEqual({ code: 0, signal: null });
    expect((await readdir(dataFolder)).toSorted()).toEqual(['cluster', 'postgres-password', 'postgres.log']);
  });

  it('keeps the data and the password over a restart', async () => {
    const first = await start();
    await query(first, 'CREATE TABLE kept AS SELECT 9007199254740993::int8 AS amount');
    await first.stop();
    const second = await start();
    expect(await query(second, 'SELECT amount FROM kept')).toEqual([{ amount: 9_007_199_254_740_993n }]);
    expect(new URL(second.url).password).toBe(new URL(first.url).password);
  });

  it('refuses a wrong password', async () => {
    const database = await start();
    const url = database.url.replace(new URL(database.url).password, 'wrong');
    await expect(query({ ...database, url }, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
  });

  it('goes to another port when a program takes the chosen one first', async () => {
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve));
    const { port: taken } = squatter.address() as { port: number };
    const spare = createServer();
    await new Promise<void>((resolve) => spare.listen(0, '127.0.0.1', resolve));
    const { port: free } = spare.address() as { port: number };
    await new Promise((resolve) => spare.close(resolve));
    const ports = [taken, taken, free];
    try {
      const database = await start({ choosePort: async () => ports.shift() ?? free });
      expect(database.port).toBe(free);
      expect(ports).toEqual([]);
    } finally {
      await new Promise((resolve) => squatter.close(resolve));
    }
  });

  it('refuses a data folder that another holder has locked, and leaves the running server alone', async () => {
    const first = await start();
    await expect(start()).rejects.toThrow(`TokOne already runs on ${dataFolder}, as process ${process.pid}:`);
    expect(await query(first, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('works under a lock of the caller and leaves its release to the caller', async () => {
    const lock = await lockFolder(dataFolder);
    const database = await start({ lock });
    await database.stop();
    await expect(lockFolder(dataFolder)).rejects.toThrow('already runs');
    await lock.release();
    await (await lockFolder(dataFolder)).release();
  });

  it.each([
    ['of a process that is gone', async () => 4_194_304],
    ['whose id now belongs to another program', async () => process.pid],
    ['whose id now belongs to a program of another parent', async () => process.ppid],
    ['cut short by a full disk', async () => 0],
  ])('recovers from a postmaster.pid %s', async (_title, processId) => {
    const first = await start();
    await query(first, 'CREATE TABLE kept AS SELECT 1 AS one');
    const pidFile = join(dataFolder, 'cluster', 'postmaster.pid');
    const lines = (await readFile(pidFile, 'utf8')).split('\n');
    await first.stop();
    const stale = await processId();
    await writeFile(pidFile, stale === 0 ? '' : [stale, ...lines.slice(1)].join('\n'));
    const second = await start();
    expect(await query(second, 'SELECT one FROM kept')).toEqual([{ one: 1 }]);
  });

  it('comes back after a kill of the server alone', async () => {
    const first = await start();
    await query(first, 'CREATE TABLE kept AS SELECT 1 AS one');
    process.kill(first.processId, 'SIGKILL');
    expect(await first.exited).toEqual({ code: null, signal: 'SIGKILL' });
    await first.stop();
    const second = await start();
    expect(await query(second, 'SELECT one FROM kept')).toEqual([{ one: 1 }]);
  });

  it('says in a sentence what the server complains about when it cannot start', async () => {
    const file = join(dataFolder, 'cluster', 'PG_VERSION');
    const version = await readFile(file, 'utf8');
    await writeFile(file, '9.6\n');
    try {
      await expect(start()).rejects.toMatchObject({
        name: 'StartupError',
        message: expect.stringMatching(/^PostgreSQL does not start on .*postgres\.log, says: .*incompatible with server/),
      });
    } finally {
      await writeFile(file, version);
    }
    // The refused start has given the folder free.
    await start();
  });

  it('says in a sentence that the password file is lost', async () => {
    const file = join(dataFolder, 'postgres-password');
    await rename(file, `${file}.lost`);
    try {
      await expect(start()).rejects.toMatchObject({ name: 'StartupError', message: expect.stringContaining('restore that file') });
    } finally {
      await rename(`${file}.lost`, file);
    }
  });

  it('says in a sentence that the password file is another cluster\'s', async () => {
    const file = join(dataFolder, 'postgres-password');
    const password = await readFile(file, 'utf8');
    await writeFile(file, 'another\n');
    try {
      await expect(start()).rejects.toMatchObject({ name: 'StartupError', message: expect.stringContaining('restore the data folder as a whole') });
    } finally {
      await writeFile(file, password);
    }
    await start();
  });
});

describe('the links of the PostgreSQL package', () => {
  it('are made when the package was installed without its script', async () => {
    const { folder } = await findPostgresBinaries();
    const copied = join(scratch, 'package');
    await cp(dirname(folder), copied, { recursive: true, verbatimSymlinks: true });
    const links = JSON.parse(await readFile(join(folder, 'pg-symlinks.json'), 'utf8')) as { target: string }[];
    for (const { target } of links) await rm(join(copied, target));
    const libraries = await readdir(join(copied, 'native', 'lib'));
    await hydrateLibraryLinks(copied);
    expect((await readdir(join(copied, 'native', 'lib'))).toSorted()).toEqual((await readdir(join(folder, 'lib'))).toSorted());
    expect(libraries).toHaveLength((await readdir(join(folder, 'lib'))).length - links.length);
    const before = (await stat(join(copied, 'native', 'lib'))).mtimeMs;
    await hydrateLibraryLinks(copied);
    expect((await stat(join(copied, 'native', 'lib'))).mtimeMs).toBe(before);
  });
});

// A normal user cannot change to another one; what these prove concerns root alone.
if (isRoot) describe('as root', () => {
  it('runs as nobody in a user namespace below a 0700 folder, with files that root owns', async () => {
    const binaries = await findPostgresBinaries();
    await mkdir(dataFolder, { mode: 0o700 });
    const user = await choosePostgresUser({ dataFolder, binaries, userNamespaces: true });
    expect(user.command('x', []).file).toBe('unshare');
    await start();
    expect((await stat(join(dataFolder, 'cluster'))).uid).toBe(0);
  });

  it('changes to another user where namespaces are refused, and back', async () => {
    await chmod(scratch, 0o711);
    const first = await start({ userNamespaces: false });
    await query(first, 'CREATE TABLE kept AS SELECT 1 AS one');
    const owner = (await stat(join(dataFolder, 'cluster'))).uid;
    expect(owner).toBeGreaterThan(0);
    expect((await stat(dataFolder)).mode & 0o777).toBe(0o711);
    await first.stop();
    const second = await start();
    expect((await stat(join(dataFolder, 'cluster', 'PG_VERSION'))).uid).toBe(0);
    await second.stop();
    const third = await start({ userNamespaces: false });
    expect(await query(third, 'SELECT one FROM kept')).toEqual([{ one: 1 }]);
  });

  it.each([true, false])('lets the owner of the data folder run the server, whether namespaces are allowed: %p', async (userNamespaces) => {
    await chmod(scratch, 0o711);
    await mkdir(dataFolder, { mode: 0o700 });
    await chown(dataFolder, NOBODY, NOBODY);
    await start({ userNamespaces });
    expect((await stat(join(dataFolder, 'cluster'))).uid).toBe(NOBODY);
    expect((await stat(dataFolder)).mode & 0o777).toBe(0o700);
  });

  it('copies binaries that the other user may not enter', async () => {
    await chmod(scratch, 0o711);
    const { folder } = await findPostgresBinaries();
    const locked = join(scratch, 'locked');
    await mkdir(locked, { mode: 0o700 });
    await cp(folder, join(locked, 'native'), { recursive: true, verbatimSymlinks: true });
    await mkdir(dataFolder, { mode: 0o700 });
    const bin = join(locked, 'native', 'bin');
    const binaries = { folder: join(locked, 'native'), initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres') };
    const user = await choosePostgresUser({ dataFolder, binaries, userNamespaces: false });
    expect(user.uid).toBeGreaterThan(0);
    expect(user.binaries.postgres.startsWith(dataFolder)).toBe(true);
  });

  it('says what to do when no other user can enter the folder', async () => {
    await expect(start({ userNamespaces: false })).rejects.toMatchObject({
      name: 'StartupError',
      message: expect.stringContaining('run TokOne as a normal user, or set TOKONE_DATA_DIR'),
    });
    expect((await stat(dataFolder)).mode & 0o777).toBe(0o700);
  });
});
