// Each service from exactly the files that its image would hold, as docker-compose.yml would run it.
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PortClaim, createDatabase, makeTemporaryFolder, testServers, waitFor, writeCall, type TemporaryFolder, type TestDatabase } from '@tokone/testing';
import { ImageDeployment } from './image/image-deployment.js';
import { workspaceRoot } from './workspace.mjs';

const services = ['account', 'billing', 'openai-adapter', 'anthropic-adapter', 'gemini-adapter', 'gateway-1', 'gateway-2'];
const START_DEADLINE_MS = 300_000;

let folder: TemporaryFolder;
let database: TestDatabase;
let deployment: ImageDeployment;
const ports = new PortClaim();
let keys: Record<string, string>;
let filesBefore: Map<string, string>;

beforeAll(async () => {
  folder = await makeTemporaryFolder('image');
  database = await createDatabase(await testServers().postgres());
  const servers = { databaseUrl: database.url, kafkaBrokers: await testServers().kafka(), redisUrl: await testServers().redis() };
  deployment = new ImageDeployment({ root: workspaceRoot, folder: folder.path, servers, freePort: () => ports.choose() });
  await deployment.prepare();
  filesBefore = deployment.imageFiles();
  await deployment.run('migrate');
  await deployment.start('simulator');
  const lines = (await deployment.run('init')).trim().split('\n');
  keys = Object.fromEntries(lines.map((line) => line.split('=', 2) as [string, string]));
  await Promise.all(services.slice(0, 2).map((name) => deployment.start(name)));
  await Promise.all(services.slice(2, 5).map((name) => deployment.start(name)));
  await Promise.all(services.slice(5).map((name) => deployment.start(name)));
}, START_DEADLINE_MS);

afterAll(async () => {
  await deployment?.kill();
  await ports.release();
  await database?.drop();
  await folder?.remove();
});

/** Settings that a container has no use for, or that a deployment of one machine leaves to the service. */
const UNSAID = new Set(['TOKONE_LIFELINE', 'TOKONE_KAFKA_REPLICATION', 'TOKONE_REDIS_CLUSTER']);

function ask(dialect: 'openai' | 'anthropic' | 'gemini', gateway = 'gateway-1'): Promise<Response> {
  const model = { openai: 'gpt-5-mini', anthropic: 'claude-haiku-4-5', gemini: 'gemini-2.5-flash' }[dialect];
  const key = keys[`TOKONE_${dialect.toUpperCase()}_KEY`] ?? '';
  const { path, headers, body } = writeCall(dialect, key, { model, prompt: 'Say hello.', stream: false, outputLimit: 64 });
  return fetch(`${deployment.urlOf(gateway, 'PORT')}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(30_000),
  });
}

describe('the services from the files of their images', () => {
  it.each(services)('%s says on its management port that it is ready', async (name) => {
    const answer = await fetch(`${deployment.urlOf(name, 'MANAGEMENT_PORT')}/health/ready`);
    expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('"ok"')]);
  });

  it.each(['openai', 'anthropic', 'gemini'] as const)('answer a request of the group %s by its demo key', async (dialect) => {
    const answer = await ask(dialect);
    expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('oken')]);
  });

  it('answer at the second gateway, too', async () => {
    const answer = await ask('openai', 'gateway-2');
    expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('oken')]);
  });

  it("charge what they answered, as the operator's command line shows", async () => {
    const answer = await ask('openai');
    await answer.text();
    const requestId = answer.headers.get('x-request-id') ?? '';
    const show = (): Promise<string | undefined> => deployment.run('tokone', ['--json', 'charge', 'show', requestId]).catch(() => undefined);
    expect(await waitFor(show, { what: 'the charge', deadlineMs: 60_000, intervalMs: 1_000 })).toContain(requestId);
  });

  it.each(['account', 'billing', 'openai-adapter', 'gateway-1', 'gateway-2', 'migrate', 'init'])('%s knows every setting that docker-compose.yml gives it, and can be given all that it knows', async (name) => {
    const help = await deployment.run(name, ['--help']);
    const known = [...help.matchAll(/^ {2}([A-Z][A-Z_]+) /gm)].map(([, setting = '']) => setting);
    const given = Object.keys(deployment.compose.services[name]?.environment ?? {});
    expect(given.sort()).toEqual(known.filter((setting) => !UNSAID.has(setting)).sort());
  });

  it('write nothing beside their volume, so that a read-only file system does', () => {
    const files = deployment.imageFiles();
    const changed = [...new Set([...files.keys(), ...filesBefore.keys()])].filter((path) => files.get(path) !== filesBefore.get(path));
    expect(changed).toEqual([]);
    expect(readdirSync(`${folder.path}/temporary`)).toEqual([]);
    expect(readdirSync(`${folder.path}/volume`)).toEqual(['spool-1', 'spool-2']);
  });

  it.each([...services].reverse())('%s ends with status 0 on the SIGTERM that its entry point gets', async (name) => {
    const program = deployment.programs.get(name);
    expect(await program?.end('SIGTERM', 45_000)).toEqual({ code: 0, signal: null });
  });
});
