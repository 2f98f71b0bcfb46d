import { execFileSync } from 'node:child_process';
import { readFile, readdir, stat } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ChildProgram, WORKSPACE, findMoneyFaults, makeTemporaryFolder, readQuickstart, readTruth, waitFor } from '@tokone/testing';
import type { TemporaryFolder } from '@tokone/testing';
import { openStream } from '../fixtures/open-stream.js';
import { CTRL_C, npmStart, npmStartInTerminal, processesOn, tokone, type } from '../fixtures/npm-program.js';

const READY = /^TokOne is ready/m;
const FIRST_START_MS = 90_000;
const SECOND_START_MS = 8_000;
const STACK = /^\s+at .*[:(]/m;

let folder: TemporaryFolder;
let dataFolder = '';
let running: ChildProgram[] = [];
beforeEach(async () => {
  folder = await makeTemporaryFolder('start');
  [dataFolder, running] = [join(folder.path, "it's data"), []];
});
afterEach(async () => {
  for (const program of running.filter((each) => each.running)) await program.end('SIGTERM');
  await waitFor(async () => (await processesOn(folder.path)).length === 0, { what: 'the end of every process on the data folder', deadlineMs: 10_000 });
  await folder.remove();
});

function started(program: ChildProgram): ChildProgram {
  running.push(program);
  return program;
}

const env = (more: Record<string, string> = {}) => ({ TOKONE_DATA_DIR: dataFolder, ...more });

describe('npm start', () => {
  it('on the first start shows a terminal everything for the first call, stops at Ctrl-C, and keeps keys and balance for the second', async () => {
    const first = started(npmStartInTerminal({ env: env() }));
    await first.printed(READY, FIRST_START_MS);
    const addresses = await readQuickstart(dataFolder);
    for (const key of Object.values(addresses.keys)) expect(first.stdout).toContain(key);
    expect(first.stdout.match(/costs no real money/g)).toHaveLength(3);

    const pasted = first.stdout.split(/\r?\n/).find((line) => line.includes('&& curl'));
    expect(execFileSync('/bin/sh', ['-c', pasted ?? 'false'], { encoding: 'utf8', env: { PATH: process.env['PATH'] } })).toContain('"content":"OK"');

    // Twenty pieces, 50 ms apart: Ctrl-C comes in the middle.
    const stream = await openStream(addresses, '[[sim: output-tokens=80 chunk-tokens=4 chunk-delay-ms=50]]');
    type(first, CTRL_C);
    expect(await stream.rest).toMatch(/data: \[DONE\]\s*$/);
    expect((await first.exited).code).toBe(0);
    expect(first.stdout).toContain('Stopping');
    expect(await processesOn(folder.path)).toEqual([]);

    const before = performance.now();
    const second = started(npmStart({ env: env() }));
    await second.printed(READY, SECOND_START_MS);
    expect(performance.now() - before).toBeLessThan(SECOND_START_MS);
    const again = await readQuickstart(dataFolder);
    expect(again.keys).toEqual(addresses.keys);
    expect(again.simulatorUrl).not.toBe(addresses.simulatorUrl);
    for (const key of Object.values(addresses.keys)) expect(second.stdout).not.toContain(key);
    expect(second.stdout).toContain(join(dataFolder, 'quickstart.env'));
    const [account] = (JSON.parse((await tokone(dataFolder, 'account', 'list', '--json')).out) as { items: { name: string; balance: string }[] }).items;
    expect(account?.name).toBe('demo');
    expect(Number(account?.balance)).toBeGreaterThan(9.9);
    expect(Number(account?.balance)).toBeLessThan(10);
    expect(await findMoneyFaults({ databaseUrl: again.databaseUrl, truth: await readTruth(again.simulatorUrl) })).toEqual([]);
    expect(await second.end('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(second.stderr).toBe('');
  });

  it('prints no key when nobody looks at a terminal, and keeps every secret for its owner alone', async () => {
    const program = started(npmStart({ env: env({ TOKONE_KEY_PREFIX: 'acme_live-' }) }));
    await program.printed(READY, FIRST_START_MS);
    const { keys } = await readQuickstart(dataFolder);
    for (const key of Object.values(keys)) {
      expect(key).toMatch(/^acme_live-[\w-]{43}$/);
      expect(program.stdout).not.toContain(key);
    }
    expect((await stat(dataFolder)).mode & 0o777).toBe(0o700);
    const files = (await readdir(dataFolder, { withFileTypes: true })).filter((entry) => entry.isFile());
    expect(files.map(({ name }) => name)).toEqual(expect.arrayContaining(['credential-key', 'operator.json', 'pepper', 'postgres-password', 'quickstart.env']));
    for (const { name } of files) expect({ name, mode: (await stat(join(dataFolder, name))).mode & 0o777 }).toEqual({ name, mode: 0o600 });
    const names = ['BASE_URL', 'OPENAI_KEY', 'ANTHROPIC_KEY', 'GEMINI_KEY', 'SIMULATOR_URL', 'DATABASE_URL'].map((name) => `"$TOKONE_${name}"`);
    const sourced = execFileSync('/bin/sh', ['-euc', `. "$1"; printf '%s\\n' ${names.join(' ')}`, 'sh', join(dataFolder, 'quickstart.env')], { encoding: 'utf8', env: {} });
    const { baseUrl, simulatorUrl, databaseUrl } = await readQuickstart(dataFolder);
    expect(sourced.trim().split('\n')).toEqual([baseUrl, keys.openai, keys.anthropic, keys.gemini, simulatorUrl, databaseUrl]);
    expect((await program.end('SIGTERM')).code).toBe(0);
  });

  it('stops when the whole process group gets SIGTERM: a stream that does not end in time is failed, never ended cleanly', async () => {
    const program = started(npmStart({ env: env({ TOKONE_DRAIN_SECONDS: '1' }), ownGroup: true }));
    await program.printed(READY, FIRST_START_MS);
    const stream = await openStream(await readQuickstart(dataFolder), '[[sim: endless chunk-delay-ms=20]]');
    process.kill(-program.processId, 'SIGTERM');
    await expect(stream.rest).rejects.toThrow();
    expect(stream.text()).toMatch(/"error":/);
    expect(stream.text()).not.toContain('[DONE]');
    expect((await program.exited).code).toBe(0);
    expect(program.stderr).not.toMatch(STACK);
  });

  it('takes a relative data folder from where the user stands, not from the repository', async () => {
    const child = new ChildProgram({ command: 'npm', args: ['--prefix', WORKSPACE, 'start'], env: { PORT: '0', TOKONE_DATA_DIR: 'here', npm_config_update_notifier: 'false' }, workingFolder: folder.path });
    await started(child).printed(READY, FIRST_START_MS);
    expect(child.stdout).toContain(`Keys: ${join(folder.path, 'here', 'quickstart.env')}`);
    expect((await child.end('SIGTERM')).code).toBe(0);
  });

  it.each(['lock', 'pepper', 'cluster/postmaster.pid', 'simulator.json', 'spool', 'operator.json'])('can be stopped while it starts, as soon as %s is there: exit 0, nothing left, and the next start works', async (file) => {
    const program = started(new ChildProgram({ main: 'apps/standalone/dist/main.js', env: env({ PORT: '0' }) }));
    await waitFor(() => stat(join(dataFolder, file)).then(() => true, () => false), { what: file, deadlineMs: FIRST_START_MS, intervalMs: 1 });
    expect(await program.end('SIGINT')).toEqual({ code: 0, signal: null });
    expect(program.stderr).toBe('');
    expect(await processesOn(folder.path)).toEqual([]);
    const next = started(new ChildProgram({ main: 'apps/standalone/dist/main.js', env: env({ PORT: '0' }) }));
    await next.printed(READY, FIRST_START_MS);
    expect((await next.end('SIGTERM')).code).toBe(0);
  });

  it('stops in order when its terminal is closed', async () => {
    const program = started(npmStartInTerminal({ env: env() }));
    await program.printed(READY, FIRST_START_MS);
    process.kill(program.processId, 'SIGKILL');
    await waitFor(async () => (await processesOn(folder.path)).length === 0, { what: 'the end of every process', deadlineMs: 20_000 });
    expect(await readFile(join(dataFolder, 'postgres.log'), 'utf8')).toMatch(/database system is shut down\s*$/);
  });

  it.each([
    ['0.0.0.0', '127.0.0.1', /^http:\/\/127\.0\.0\.1:\d+$/],
    ['::1', '::1', /^http:\/\/\[::1\]:\d+$/],
  ])('listens on HOST=%s and shows an address that can be opened; a machine without %s is told so', async (host, needed, shown) => {
    const program = started(new ChildProgram({ main: 'apps/standalone/dist/main.js', env: env({ PORT: '0', HOST: host }) }));
    if (!Object.values(networkInterfaces()).flat().some((address) => address?.address === needed)) {
      expect(await program.exited).toEqual({ code: 1, signal: null });
      expect(program.stderr).toContain(`HOST=${host} is no address of this machine.`);
      return;
    }
    await program.printed(READY, FIRST_START_MS);
    const { baseUrl } = await readQuickstart(dataFolder);
    expect(baseUrl).toMatch(shown);
    expect(await (await fetch(`${baseUrl}/health`)).json()).toEqual({ status: 'ok' });
    expect((await program.end('SIGTERM')).code).toBe(0);
  });
});
