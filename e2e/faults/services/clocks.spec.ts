import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { makeTemporaryFolder, waitFor } from '@tokone/testing';
import type { ChildProgram, TemporaryFolder } from '@tokone/testing';
import type { Load } from '../fixtures/load.js';
import { MIXED, QUICK } from '../fixtures/load.js';
import { SeededRandom } from '../fixtures/seeded-random.js';
import { findInexcusable } from '../fixtures/failed-calls.js';
import { publicUrlOf, startAnother } from '../fixtures/own-service.js';
import { CLEAN, FEWER_PROCESSES, ServicesDeployment } from '../fixtures/services-deployment.js';

const CLIENTS = 8;
/** A gateway is announced as alive each second; accounts would wait for one that seems silent for longer than four. */
const HEARTBEATS_MS = 6_000;
/** As libfaketime reads them: from the true time. */
const STEPS = ['+1h', '-3d', '+0'];
const LIBRARIES = '/usr/lib';

const random = SeededRandom.ofRun();
let deployment: ServicesDeployment;
let folder: TemporaryFolder;
/** A second gateway, whose clock is set by what stands in `clockPath`. */
let other: ChildProgram;
let clockPath: string;
beforeAll(async () => {
  folder = await makeTemporaryFolder('clock');
  clockPath = join(folder.path, 'clock');
  await writeFile(clockPath, '+0');
  deployment = await ServicesDeployment.create({ random, replicas: 1, env: FEWER_PROCESSES });
  const clock = { LD_PRELOAD: await fakeClock(), FAKETIME_TIMESTAMP_FILE: clockPath, FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' };
  other = await startAnother(deployment.services, 'gateway-1', clock);
}, 400_000);
afterEach(() => deployment?.endLoads());
afterAll(async () => {
  process.stderr.write(`steps of a clock, seed ${random.seed}: ${JSON.stringify({ requests: deployment?.calls.length })}\n`);
  await other?.end('SIGTERM');
  await deployment?.dispose();
  await folder?.remove();
}, 240_000);

/** Stands between a program and the clock of the machine; its timers go on by the time that passes. */
async function fakeClock(): Promise<string> {
  const found = (await readdir(LIBRARIES)).map((name) => join(LIBRARIES, name, 'faketime/libfaketimeMT.so.1')).find(existsSync);
  if (found === undefined) throw new Error('There is no libfaketime on this machine: install it (apt-get install libfaketime).');
  return found;
}

/** What the second gateway takes for now. Its ids would not tell: they never go back. */
async function clockOfOther(): Promise<number> {
  const answer = await fetch(`${publicUrlOf(other)}/nothing`, { signal: AbortSignal.timeout(10_000) });
  return Date.parse(String(answer.headers.get('date')));
}

async function served(load: Load, elsewhere: Load): Promise<void> {
  await Promise.all([deployment.served(load, CLIENTS), deployment.served(elsewhere, CLIENTS)]);
}

describe('the clock of a gateway', () => {
  it(`K21: steps by ${STEPS.join(', ')} under load: no request fails, holds and leases stay, everything is charged once`, async () => {
    const load = deployment.startLoad({ clients: CLIENTS, shapes: [...MIXED, ...QUICK] });
    const elsewhere = deployment.startLoad({ clients: CLIENTS, shapes: [...MIXED, ...QUICK], baseUrl: publicUrlOf(other) });
    await served(load, elsewhere);
    const clocks: number[] = [];
    for (const step of STEPS) {
      await writeFile(clockPath, step);
      const steppedMs = performance.now();
      await served(load, elsewhere);
      await waitFor(() => performance.now() - steppedMs > HEARTBEATS_MS, { what: 'some heartbeats', deadlineMs: 2 * HEARTBEATS_MS });
      clocks.push(Math.round(((await clockOfOther()) - Date.now()) / 3_600_000) + 0);
    }
    expect(clocks).toEqual([1, -72, 0]);
    await served(load, elsewhere);
    await deployment.endLoad(elsewhere);
    expect(findInexcusable(elsewhere.calls, [])).toEqual([]);
    expect(await deployment.verdict(load, [])).toEqual(CLEAN);
  }, 240_000);
});
