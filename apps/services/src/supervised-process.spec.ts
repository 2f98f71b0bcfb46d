import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { StartupError } from '@tokone/persistence';
import { makeTemporaryFolder, waitFor } from '@tokone/testing';
import type { TemporaryFolder } from '@tokone/testing';
import { SupervisedProcess } from './supervised-process.js';
import type { SupervisionPace } from './supervised-process.js';

const READY = "process.stdout.write('thing is ready: internal http://127.0.0.1:1\\n');";
/** Until it is told to end, by a signal or by its lifeline. */
const STAYS = "process.stdin.on('end', () => process.exit(0)).resume();";
const DEADLINE_MS = 20_000;
jest.setTimeout(2 * DEADLINE_MS);
const QUICK: Partial<SupervisionPace> = { firstPauseMs: 20, longestPauseMs: 60 };

/** Of a service that is on its way. */
const readiness = createServer((_request, response) => void response.writeHead(503).end(JSON.stringify({ status: 'not_ready', problems: { start: 'It waits for billing.' } })));
let folder: TemporaryFolder;
let said: string[];
let changes = 0;
let supervised: SupervisedProcess[];
beforeEach(async () => {
  folder = await makeTemporaryFolder('supervised');
  [said, changes, supervised] = [[], 0, []];
});
afterEach(async () => {
  for (const each of supervised) await each.stop(1_000);
  readiness.closeAllConnections();
  await new Promise((resolve) => readiness.close(resolve));
  await folder.remove();
});

/** A service whose main is this program. `RUN` counts its starts from 1. */
async function service(program: string, pace: Partial<SupervisionPace> = QUICK, managementUrl = 'http://127.0.0.1:1'): Promise<SupervisedProcess> {
  const main = join(folder.path, 'main.mjs');
  const count = `import { existsSync, readFileSync, writeFileSync } from 'node:fs';
const path = ${JSON.stringify(join(folder.path, 'runs'))};
const RUN = existsSync(path) ? Number(readFileSync(path, 'utf8')) + 1 : 1;
writeFileSync(path, String(RUN));`;
  await writeFile(main, `${count}\n${program}\n`);
  const made = new SupervisedProcess({ service: { app: 'thing', name: 'thing-1', internalUrl: '', managementUrl, environment: {} }, narrator: { say: (line) => void said.push(line) }, changed: () => changes++, main, pace });
  supervised.push(made);
  return made;
}

function heard(line: string | RegExp): Promise<boolean> {
  return waitFor(() => said.some((each) => (typeof line === 'string' ? each === line : line.test(each))), { what: `"${String(line)}"`, deadlineMs: DEADLINE_MS, intervalMs: 5 });
}

describe('a supervised service', () => {
  it('is ready when it says so, and hands over what it says', async () => {
    const thing = await service(`${READY} ${STAYS}`);
    expect(thing.processId).toBeUndefined();
    expect(await thing.start()).toBe('internal http://127.0.0.1:1');
    expect(thing.processId).toBeGreaterThan(0);
    expect(said).toEqual([]);
  });

  it('is started again when it died, which is said, and then that it is ready', async () => {
    const thing = await service(`${READY} ${STAYS}`);
    await thing.start();
    const before = thing.processId ?? 0;
    const changesBefore = changes;
    process.kill(before, 'SIGKILL');
    await heard('thing-1 is ready again.');
    expect(said).toEqual(['thing-1 ended (SIGKILL); it is started again in 0.02 s.', 'thing-1 is ready again.']);
    expect(thing.processId).not.toBe(before);
    expect(changes).toBe(changesBefore + 2);
  });

  it('has pauses that grow up to the longest while it keeps ending soon', async () => {
    const thing = await service(`${READY} if (RUN < 5) process.exit(3); ${STAYS}`);
    await thing.start();
    await waitFor(() => said.filter((line) => line.includes('status 3')).length === 4, { what: 'four ends', deadlineMs: DEADLINE_MS });
    expect(said.filter((line) => line.includes('status 3')).map((line) => / again in (.*) s\./.exec(line)?.[1])).toEqual(['0.02', '0.04', '0.06', '0.06']);
  });

  it('has the first pause again after it ran for long', async () => {
    const thing = await service(`${READY} if (RUN < 4) process.exit(3); ${STAYS}`, { ...QUICK, steadyMs: 0 });
    await thing.start();
    await waitFor(() => said.filter((line) => line.includes('status 3')).length === 3, { what: 'three ends', deadlineMs: DEADLINE_MS });
    expect(said.filter((line) => line.includes('status 3'))).toEqual(Array.from({ length: 3 }, () => 'thing-1 ended (status 3); it is started again in 0.02 s.'));
  });

  it('that ends before it was ready is not started again, and its start says how it ended', async () => {
    const thing = await service('process.exit(7);');
    const refusal = await thing.start().catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(StartupError);
    expect(String(refusal)).toContain('thing-1 ended before it was ready (status 7). The lines above say why.');
    expect(said).toEqual([]);
    expect(thing.processId).toBeUndefined();
  });

  it('is waited for as long as it lives, and what it waits for is said from its readiness', async () => {
    await new Promise<void>((resolve) => readiness.listen(0, '127.0.0.1', resolve));
    const release = join(folder.path, 'release');
    const thing = await service(`const timer = setInterval(() => { if (existsSync(${JSON.stringify(release)})) { clearInterval(timer); ${READY} } }, 5); ${STAYS}`, { waitLineMs: 25 }, `http://127.0.0.1:${(readiness.address() as AddressInfo).port}`);
    const started = thing.start();
    await heard(/^thing-1 is not ready after \d+ s, and is waited for\. It waits for billing\.$/);
    await writeFile(release, '');
    expect(await started).toBe('internal http://127.0.0.1:1');
  });

  it('is named alone while it has no readiness yet; that it is ready again is said however late', async () => {
    const release = join(folder.path, 'release');
    const thing = await service(`const timer = setInterval(() => { if (RUN === 1 || existsSync(${JSON.stringify(release)})) { clearInterval(timer); ${READY} } }, 5); ${STAYS}`, { ...QUICK, waitLineMs: 25 });
    await thing.start();
    process.kill(thing.processId ?? 0, 'SIGKILL');
    await heard(/^thing-1 is not ready after \d+ s, and is waited for\.$/);
    await writeFile(release, '');
    await heard('thing-1 is ready again.');
  });

  it('ends when it is stopped, and is not started again', async () => {
    const thing = await service(`process.on('SIGTERM', () => process.exit(0)); ${READY} ${STAYS}`);
    await thing.start();
    await thing.stop(DEADLINE_MS);
    expect(thing.processId).toBeUndefined();
    expect(said).toEqual([]);
  });

  it('stays ended when it is stopped in a pause', async () => {
    const thing = await service(`${READY} ${STAYS}`, { firstPauseMs: 50 });
    await thing.start();
    process.kill(thing.processId ?? 0, 'SIGKILL');
    await heard('thing-1 ended (SIGKILL); it is started again in 0.05 s.');
    await thing.stop(DEADLINE_MS);
    const changesAfter = changes;
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect([thing.processId, changes]).toEqual([undefined, changesAfter]);
  });

  it('is killed, with a line, when it does not stop in time', async () => {
    const thing = await service(`process.on('SIGTERM', () => undefined); ${READY} ${STAYS}`);
    await thing.start();
    await thing.stop(50);
    expect(said).toEqual(['thing-1 did not stop within 0.05 s and is ended now.']);
    expect(thing.processId).toBeUndefined();
  });
});
