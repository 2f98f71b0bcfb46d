import { readdir, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { waitFor } from '@tokone/testing';
import { Deployment } from '../fixtures/standalone-deployment.js';
import { Load, MIXED } from '../fixtures/load.js';
import type { Shape } from '../fixtures/load.js';
import { SeededRandom } from '../fixtures/seeded-random.js';
import { readSpoolEvidence } from '../fixtures/spool-evidence.js';
import { readUsageRows } from '../fixtures/usage-rows.js';

const CLIENTS = 40;
const LEAST_IN_FLIGHT = 32;
const DEADLINE_MS = 60_000;
/** Of an answer that runs: behind its OPEN every stream has at least two PROGRESS records then, far more than what is cut. */
const RUNNING_BYTES = 10_000;

/** None ends before the kill, so that the records at the end of the log are all of running streams. */
const ENDURING_STREAM: Shape = { streamed: true, directives: () => 'output-tokens=20000 chunk-tokens=40 chunk-delay-ms=20' };

const random = new SeededRandom(Number(process.env['TOKONE_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31)));

let deployment: Deployment;
beforeEach(async () => {
  deployment = await Deployment.create();
}, 120_000);
afterEach(async () => {
  process.stderr.write(`damaged spool, seed ${random.seed}\n`);
  await deployment.dispose();
}, 120_000);

describe('after a kill -9 under load', () => {
  it('a spool that is lost is told as an alarm, and costs the tenant nothing: its requests are not charged, nothing is held', async () => {
    const load = new Load({ random, clients: CLIENTS, keys: deployment.keys, shapes: MIXED });
    await killAfter(load, 60);
    await rm(deployment.spoolFolder, { recursive: true });
    const { program } = await deployment.start();
    await deployment.settled();
    expect(program.stderr).toMatch(/alarm: the spool of this data folder is lost/);
    const charged = new Set((await deployment.query(readUsageRows)).map((row) => row.requestBytes));
    const lost = load.calls.filter((call) => !charged.has(call.plan.requestBytes));
    expect(lost.length).toBeGreaterThanOrEqual(LEAST_IN_FLIGHT);
    expect(await deployment.findFaults({ lost: (call) => !charged.has(call.plan.requestBytes) })).toEqual([]);
    await servesAgain();
    await deployment.kill();
    const again = await deployment.start();
    expect(again.program.stderr).toBe('');
  }, 180_000);

  it.each([1, 40, 700])('a spool whose last %i bytes are missing is cut at its last whole record, with an alarm, and everything before it counts', async (bytes) => {
    const load = new Load({ random, clients: CLIENTS, keys: deployment.keys, shapes: [ENDURING_STREAM] });
    load.start(deployment.running.addresses.baseUrl);
    await waitFor(() => load.calls.filter((call) => call.running && call.bytes > RUNNING_BYTES).length >= CLIENTS, { what: 'streams under way', deadlineMs: DEADLINE_MS, intervalMs: 5 });
    const ended = load.endedCalls;
    await deployment.running.kill();
    deployment.process = undefined;
    await load.stop();
    deployment.calls.push(...load.calls);
    const before = await readSpoolEvidence(deployment.spoolFolder);
    await cutLastSegment(bytes);
    const after = await deployment.readSpool();
    const cut = [...before.openOnly, ...before.partial].filter((id) => before.progress.get(id) !== after.progress.get(id));
    expect({ ended, cut: cut.length > 0 }).toEqual({ ended: 0, cut: true });
    const { program } = await deployment.start();
    await deployment.settled();
    expect(program.stderr).toMatch(/"kind":"torn_tail"/);
    expect(after.partial.size).toBeGreaterThanOrEqual(LEAST_IN_FLIGHT - cut.length);
    expect(await deployment.findFaults({ cut: new Set(cut) })).toEqual([]);
    await servesAgain();
  }, 180_000);
});

async function killAfter(load: Load, endedCalls: number): Promise<void> {
  load.start(deployment.running.addresses.baseUrl);
  await waitFor(() => load.endedCalls >= endedCalls && load.inFlight >= LEAST_IN_FLIGHT, { what: `${endedCalls} ended calls`, deadlineMs: DEADLINE_MS, intervalMs: 1 });
  await deployment.running.kill();
  deployment.process = undefined;
  await load.stop();
  deployment.calls.push(...load.calls);
}

/** The process that died had one segment open: the last of them. */
async function cutLastSegment(bytes: number): Promise<void> {
  const segments = (await readdir(deployment.spoolFolder)).filter((name) => name.endsWith('.segment')).sort();
  const path = join(deployment.spoolFolder, segments.at(-1) ?? '');
  await truncate(path, (await stat(path)).size - bytes);
}

async function servesAgain(): Promise<void> {
  const load = new Load({ random, clients: 6, keys: deployment.keys, shapes: MIXED.slice(0, 2) });
  load.start(deployment.running.addresses.baseUrl);
  await waitFor(() => load.calls.filter((call) => call.sawEnd).length >= 12, { what: 'whole answers', deadlineMs: DEADLINE_MS });
  await load.stop();
  deployment.calls.push(...load.calls);
  await deployment.settled();
  expect(load.calls.filter((call) => !call.sawEnd)).toEqual([]);
}
