import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ChildProgram, findMoneyFaults, makeTemporaryFolder, readQuickstart, readTruth, waitFor } from '@tokone/testing';
import type { QuickstartAddresses, ServiceNote, TemporaryFolder } from '@tokone/testing';
import { openStream } from '../fixtures/open-stream.js';
import { CTRL_C, npmStartServices, npmStartServicesInTerminal, processesOn, tokone, type } from '../fixtures/npm-program.js';

const READY = /^TokOne is ready/m;
const START_MS = 180_000;
const SERVICES = ['account-1', 'anthropic-adapter-1', 'billing-1', 'gateway-1', 'gemini-adapter-1', 'openai-adapter-1'];

let folder: TemporaryFolder;
let dataFolder = '';
let running: ChildProgram[] = [];
beforeEach(async () => {
  folder = await makeTemporaryFolder('start-services');
  [dataFolder, running] = [join(folder.path, 'data'), []];
});
afterEach(async () => {
  for (const program of running.filter((each) => each.running)) await program.end('SIGTERM', 120_000);
  await waitFor(async () => (await processesOn(folder.path)).length === 0, { what: 'the end of every process on the data folder', deadlineMs: 20_000 });
  await folder.remove();
});

function started(program: ChildProgram): ChildProgram {
  running.push(program);
  return program;
}

/** A dozen processes that have just started share two processors with other tests: Redis gets longer than 50 ms to answer. */
const env = (more: Record<string, string> = {}) => ({ TOKONE_DATA_DIR: dataFolder, TOKONE_ADMISSION_TIMEOUT_MS: '2000', ...more });

async function services(): Promise<ServiceNote[]> {
  return JSON.parse(await readFile(join(dataFolder, 'services.json'), 'utf8')) as ServiceNote[];
}

async function processIdOf(name: string): Promise<number> {
  const id = (await services()).find((service) => service.name === name)?.processId;
  if (!id) throw new Error(`${name} does not run`);
  return id;
}

/** 200, or what was said instead. */
async function call({ baseUrl, keys }: QuickstartAddresses): Promise<number | string> {
  const body = JSON.stringify({ model: 'gpt-5.5', messages: [{ role: 'user', content: 'Reply with OK' }] });
  const answer = await fetch(`${baseUrl}/v1/chat/completions`, { method: 'POST', headers: { 'connection': 'close', 'authorization': `Bearer ${keys.openai}`, 'content-type': 'application/json' }, body, signal: AbortSignal.timeout(30_000) });
  const text = await answer.text();
  return answer.status === 200 ? 200 : `${answer.status} ${text}`;
}

describe('npm run start:services', () => {
  it('brings up its own servers and every service, shows the quick start, stops at Ctrl-C, and keeps keys and ledger', async () => {
    const first = started(npmStartServicesInTerminal({ env: env() }));
    await first.printed(READY, START_MS);
    const addresses = await readQuickstart(dataFolder);
    for (const key of Object.values(addresses.keys)) expect(first.stdout).toContain(key);
    expect((await services()).map(({ name }) => name).sort()).toEqual(SERVICES);
    for (const { app, processId } of await services()) expect(await readFile(`/proc/${processId}/cmdline`, 'utf8')).toContain(`apps/${app}/`);
    const text = await readFile(join(dataFolder, 'quickstart.env'), 'utf8');
    for (const name of ['TOKONE_KAFKA_BROKERS', 'TOKONE_REDIS_URL', 'TOKONE_DATABASE_URL', 'TOKONE_SIMULATOR_URL']) expect(text).toMatch(new RegExp(`^${name}=.+`, 'm'));
    expect((await stat(join(dataFolder, 'quickstart.env'))).mode & 0o777).toBe(0o600);
    expect(await call(addresses)).toBe(200);
    await waitFor(async () => (await tokone(dataFolder, 'account', 'create', '--name', 'one', '--json')).code === 0, { what: 'the command line to find this shape', deadlineMs: 20_000 });
    type(first, CTRL_C);
    expect((await first.exited).code).toBe(0);
    expect(await processesOn(folder.path)).toEqual([]);

    const second = started(npmStartServices({ env: env() }));
    await second.printed(READY, START_MS);
    const again = await readQuickstart(dataFolder);
    expect(again.keys).toEqual(addresses.keys);
    for (const key of Object.values(again.keys)) expect(second.stdout).not.toContain(key);
    expect(await call(again)).toBe(200);
    const truth = await readTruth(again.simulatorUrl);
    await waitFor(async () => (await findMoneyFaults({ databaseUrl: again.databaseUrl, truth })).length === 0, { what: 'both calls to be posted', deadlineMs: 20_000 });
    expect((await second.end('SIGTERM', 120_000)).code).toBe(0);
  }, 600_000);

  it('runs three gateways behind one address, starts a service again that died, says so, and serves on', async () => {
    const program = started(npmStartServices({ env: env(), args: ['--', '--gateways', '3'] }));
    await program.printed(READY, START_MS);
    const addresses = await readQuickstart(dataFolder);
    expect((await services()).filter(({ app }) => app === 'gateway').map(({ name }) => name)).toEqual(['gateway-1', 'gateway-2', 'gateway-3']);
    // Each call on a connection of its own: every gateway has its turn.
    for (let turn = 0; turn < 6; turn++) expect(await call(addresses)).toBe(200);
    for (const name of ['openai-adapter-1', 'billing-1', 'account-1', 'gateway-2']) {
      const before = await processIdOf(name);
      process.kill(before, 'SIGKILL');
      await waitFor(() => program.stderr.includes(`${name} is ready again.`), { what: `${name} to be ready again`, deadlineMs: 90_000 });
      expect(program.stderr).toMatch(new RegExp(`${name} ended \\(SIGKILL\\); it is started again in 0\\.5 s\\.`));
      expect(await processIdOf(name)).not.toBe(before);
      await waitFor(async () => (await call(addresses)) === 200, { what: 'a call to be served again', deadlineMs: 30_000 });
    }
    expect((await program.end('SIGTERM', 120_000)).code).toBe(0);
  }, 600_000);

  it.each([
    ['Redis', 'redis/redis/redis.log', async () => numberIn((await processesOn(dataFolder)).find((line) => /^\d+ redis-server /.test(line)))],
    ['PostgreSQL', 'postgres/postgres/postgres.log', async () => numberIn(await readFile(join(dataFolder, 'services/postgres/postgres/cluster/postmaster.pid'), 'utf8'))],
  ])('stops in order with status 1 when its own %s is killed, and says where its log is', async (title, log, find) => {
    const program = started(npmStartServices({ env: env() }));
    await program.printed(READY, START_MS);
    process.kill(await find(), 'SIGKILL');
    await waitFor(() => !program.running, { what: 'the end', deadlineMs: 120_000 });
    expect((await program.exited).code).toBe(1);
    expect(program.stderr).toContain(`${title} ended (SIGKILL), and TokOne stops, which cannot do without it. Its log is ${join(dataFolder, 'services', log)}.`);
  }, 600_000);

  it('leaves nothing running when it is killed itself, and the next start goes on, also while an answer still runs', async () => {
    const program = started(npmStartServices({ env: env() }));
    await program.printed(READY, START_MS);
    expect((await processesOn(folder.path)).length).toBeGreaterThan(SERVICES.length);
    process.kill(await supervisorId(), 'SIGKILL');
    // The simulator keeps what it knows for the next start; it is ended by it.
    await waitFor(async () => (await processesOn(folder.path)).filter((line) => !line.includes('apps/simulator')).length === 0, { what: 'all processes to end with their supervisor', deadlineMs: 60_000 });
    const next = started(npmStartServices({ env: env({ TOKONE_DRAIN_SECONDS: '15' }) }));
    await next.printed(READY, START_MS);
    const addresses = await readQuickstart(dataFolder);
    expect(await call(addresses)).toBe(200);
    // It would run for most of a minute.
    const stream = await openStream(addresses, '[[sim: output-tokens=2000 chunk-tokens=4 chunk-delay-ms=100]]');
    expect(stream.text()).not.toBe('');
    process.kill(await supervisorId(), 'SIGKILL');
    const third = started(npmStartServices({ env: env() }));
    await third.printed(READY, START_MS);
    expect(await call(await readQuickstart(dataFolder))).toBe(200);
    expect((await third.end('SIGTERM', 120_000)).code).toBe(0);
  }, 900_000);

  it('refuses more gateways than make sense, unknown arguments, and a port in use, each in a sentence', async () => {
    const refusalOf = async (args: string[], more: Record<string, string> = {}) => {
      const program = started(new ChildProgram({ main: 'apps/services/dist/main.js', args, env: env({ PORT: '0', ...more }) }));
      const { code } = await program.exited;
      return { code, text: program.stderr };
    };
    expect(await refusalOf(['--gateways', '17'])).toEqual({ code: 1, text: expect.stringContaining('--gateways needs a number from 1 to 16.') });
    expect(await refusalOf(['--replicas', '2'])).toEqual({ code: 1, text: expect.stringContaining('--replicas 2 is not understood') });
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    expect(await refusalOf([], { PORT: String(port) })).toEqual({ code: 1, text: expect.stringContaining(`Port ${port} on 127.0.0.1 is in use.`) });
    taken.close();
  }, 120_000);
});

/** The process id that a text begins with. */
function numberIn(text: string | undefined): number {
  const id = Number.parseInt(text ?? '', 10);
  expect(id).toBeGreaterThan(1);
  return id;
}

/** The process that started the services. */
async function supervisorId(): Promise<number> {
  const [service] = await services();
  const status = await readFile(`/proc/${service?.processId}/status`, 'utf8');
  const id = Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1]);
  expect(await readFile(`/proc/${id}/cmdline`, 'utf8')).toContain('apps/services/');
  return id;
}
