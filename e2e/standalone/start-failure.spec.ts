import { execFileSync } from 'node:child_process';
import { chmod, chown, mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { openPool } from '@tokone/persistence';
import { ChildProgram, WORKSPACE, makeTemporaryFolder, readQuickstart, waitFor } from '@tokone/testing';
import type { TemporaryFolder } from '@tokone/testing';
import { npmStart, processesOn } from '../fixtures/npm-program.js';

const MAIN = 'apps/standalone/dist/main.js';
const READY = /^TokOne is ready/m;
const START_MS = 90_000;
const NOBODY = 65_534;

let folder: TemporaryFolder;
let dataFolder = '';
let running: ChildProgram[] = [];
let taken: Server | undefined;
beforeEach(async () => {
  folder = await makeTemporaryFolder('start-failure');
  [dataFolder, running, taken] = [join(folder.path, 'data'), [], undefined];
});
afterEach(async () => {
  for (const program of running.filter((each) => each.running)) await program.end('SIGTERM');
  taken?.close();
  expect(await processesOn(folder.path)).toEqual([]);
  await chmod(folder.path, 0o755);
  await folder.remove();
});

function start(more: Record<string, string> = {}): ChildProgram {
  const program = new ChildProgram({ main: MAIN, env: { PORT: '0', LOG_LEVEL: 'error', TOKONE_DATA_DIR: dataFolder, ...more } });
  running.push(program);
  return program;
}

async function started(more: Record<string, string> = {}): Promise<ChildProgram> {
  const program = start(more);
  await program.printed(READY, START_MS);
  return program;
}

/** Never 0, which would mean this test's own process group. */
function postmasterId(): Promise<number> {
  const read = async (): Promise<number | undefined> => {
    const [, id] = /^(\d+)\n/.exec(await readFile(join(dataFolder, 'cluster/postmaster.pid'), 'utf8').catch(() => '')) ?? [];
    return id === undefined || Number(id) <= 1 ? undefined : Number(id);
  };
  return waitFor(read, { what: 'the process id of PostgreSQL', deadlineMs: START_MS, intervalMs: 1 });
}

/** Exit status 1 and one line, no stack trace; nothing of this start lives on. */
async function sentenceOf(program: ChildProgram): Promise<string> {
  const { code, signal } = await program.exited;
  expect({ code, signal, out: program.stdout }).toEqual({ code: 1, signal: null, out: '' });
  expect(program.stderr.trimEnd().split('\n')).toHaveLength(1);
  expect(program.stderr).not.toMatch(/This should not happen|^\s+at /m);
  return program.stderr;
}

/**
 * A user that is not root. Root becomes nobody; where nobody cannot enter the repository, as below /root, by way of a
 * user namespace in which only the name of the user changes.
 */
function normalUser(): { command: string; args: string[]; owner: number | undefined } {
  if (process.getuid?.() !== 0) return { command: process.execPath, args: [], owner: undefined };
  const asNobody = ['--reuid', String(NOBODY), '--regid', String(NOBODY), '--clear-groups', process.execPath];
  try {
    execFileSync('setpriv', [...asNobody, '-e', `require('fs').readFileSync(${JSON.stringify(join(WORKSPACE, MAIN))})`], { stdio: 'ignore' });
    return { command: 'setpriv', args: asNobody, owner: NOBODY };
  } catch {
    return { command: 'unshare', args: ['--user', `--map-user=${NOBODY}`, `--map-group=${NOBODY}`, '--', process.execPath], owner: undefined };
  }
}

function startAsNormalUser(): ChildProgram {
  const { command, args } = normalUser();
  const program = new ChildProgram({ command, args: [...args, join(WORKSPACE, MAIN)], env: { PORT: '0', LOG_LEVEL: 'error', TOKONE_DATA_DIR: dataFolder } });
  running.push(program);
  return program;
}

describe('a start that cannot be', () => {
  it('names every wrong setting at once, through npm start too, and makes nothing', async () => {
    const program = npmStart({ env: { TOKONE_DATA_DIR: dataFolder, PORT: 'eighty', TOKONE_KEY_PREFIX: 'a b', OPENAI_API_KEY: 'with space' } });
    const { code } = await program.exited;
    expect(code).toBe(1);
    expect(program.stderr).toMatch(/PORT=eighty is not a whole number/);
    expect(program.stderr).toMatch(/TOKONE_KEY_PREFIX=a b is not/);
    expect(program.stderr).toMatch(/OPENAI_API_KEY=… has characters/);
    expect(program.stderr).not.toMatch(/^\s+at /m);
    expect(await readdir(folder.path)).toEqual([]);
  });

  it('refuses an argument, and says where settings belong', async () => {
    const program = new ChildProgram({ main: MAIN, args: ['--port', '80'], env: { TOKONE_DATA_DIR: dataFolder } });
    expect(await sentenceOf(program)).toContain('Settings are environment variables');
  });

  it.each(['PORT', 'MANAGEMENT_PORT'])('says which port is in use before it makes a database: %s', async (setting) => {
    taken = createServer();
    await new Promise<void>((resolve) => taken?.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    const sentence = await sentenceOf(start({ [setting]: String(port) }));
    expect(sentence).toContain(`Port ${port} on 127.0.0.1 is in use.`);
    expect(sentence).toContain(`as with ${setting}=`);
    expect(await readdir(dataFolder)).toEqual([]);
  });

  it.each(['/proc/tokone', '/dev/null', '/dev/null/tokone', `/${'x'.repeat(300)}`])('says that %s cannot be the data folder', async (path) => {
    expect(await sentenceOf(start({ TOKONE_DATA_DIR: path }))).toContain(path);
  });

  it.each([0o755, 0o500])('says to a normal user that a folder with mode %i which is not theirs cannot be written to', async (mode) => {
    await mkdir(dataFolder);
    const { owner } = normalUser();
    if (owner !== undefined && mode === 0o500) await chown(dataFolder, owner, owner);
    await chmod(dataFolder, mode === 0o755 && owner === undefined ? 0o555 : mode);
    expect(await sentenceOf(startAsNormalUser())).toContain(`TokOne may not write to ${dataFolder}`);
    await chmod(dataFolder, 0o755);
  });

  it('refuses a second TokOne on the same folder and names the first, which lives on', async () => {
    const first = await started();
    expect(await sentenceOf(start())).toContain(`TokOne already runs on ${dataFolder}, as process ${first.processId}`);
    const { baseUrl } = await readQuickstart(dataFolder);
    expect((await fetch(`${baseUrl}/health`)).status).toBe(200);
    expect((await first.end('SIGTERM')).code).toBe(0);
  });

  it('refuses to make a new pepper for old keys', async () => {
    await (await started()).end('SIGTERM');
    await rm(join(dataFolder, 'pepper'));
    expect(await sentenceOf(start())).toMatch(/pepper is missing.*restore that file from your backup/);
  });

  it('refuses a folder that a newer version has written', async () => {
    const program = await started();
    const pool = openPool({ url: (await readQuickstart(dataFolder)).databaseUrl, poolSize: 1, statementTimeoutMs: 10_000 });
    await pool.query(`INSERT INTO account.migrations (timestamp, name) VALUES (4102444800000, 'FromTheFuture4102444800000')`);
    await pool.end();
    await program.end('SIGTERM');
    expect(await sentenceOf(start())).toMatch(/newer version of TokOne \(FromTheFuture4102444800000\)/);
  });

  it('says that PostgreSQL ended, when that happens during the start', async () => {
    const program = start();
    process.kill(await postmasterId(), 'SIGKILL');
    expect(await sentenceOf(program)).toMatch(/PostgreSQL .*postgres\.log/);
    await (await started()).end('SIGTERM');
  });
});

describe('a start after something went wrong', () => {
  it('takes over PostgreSQL, simulator and keys that a kill -9 left behind', async () => {
    const first = await started();
    const before = await readQuickstart(dataFolder);
    await first.end('SIGKILL');
    expect(await processesOn(folder.path)).not.toEqual([]);
    const second = await started();
    const after = await readQuickstart(dataFolder);
    expect([after.keys, after.simulatorUrl]).toEqual([before.keys, before.simulatorUrl]);
    expect((await second.end('SIGTERM')).code).toBe(0);
  });

  it.each([
    ['of a process that runs no more', { pid: 4_194_300, startedAt: 'x' }],
    ['whose process id another program has now', { pid: process.pid, startedAt: 'another boot' }],
  ])('takes over a lock %s', async (_title, holder) => {
    await mkdir(dataFolder, { mode: 0o700 });
    await writeFile(join(dataFolder, 'lock'), JSON.stringify(holder));
    expect((await (await started()).end('SIGTERM')).code).toBe(0);
  });

  it('stops with a sentence and status 1 when PostgreSQL ends by itself, and starts again', async () => {
    const program = await started();
    process.kill(await postmasterId(), 'SIGKILL');
    expect(await program.exited).toEqual({ code: 1, signal: null });
    expect(program.stderr).toContain('PostgreSQL ended by itself; TokOne stops.');
    expect(program.stderr).not.toMatch(/^\s+at /m);
    expect((await (await started()).end('SIGTERM')).code).toBe(0);
  });
});

describe('whoever starts it', () => {
  it('works below a folder that only its owner may enter', async () => {
    await chmod(folder.path, 0o700);
    expect((await (await started()).end('SIGTERM')).code).toBe(0);
  });

  it('works as a user that is not root, in a folder that only this user may enter', async () => {
    await mkdir(dataFolder, { mode: 0o700 });
    const { owner } = normalUser();
    if (owner !== undefined) await chown(dataFolder, owner, owner);
    const program = startAsNormalUser();
    await program.printed(READY, START_MS);
    expect((await stat(join(dataFolder, 'quickstart.env'))).mode & 0o777).toBe(0o600);
    expect((await program.end('SIGTERM')).code).toBe(0);
  });
});
