import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ChildProgram, StandaloneProcess, makeTemporaryFolder, waitFor } from '@tokone/testing';
import type { TemporaryFolder } from '@tokone/testing';
import type { ClientCall } from '../fixtures/client-call.js';
import { Deployment } from '../fixtures/standalone-deployment.js';
import { processesOfFolder } from '../fixtures/left-behind.js';
import { LONG_STREAM, Load, MIXED, SHORT_STREAM, WAITING_ANSWER } from '../fixtures/load.js';
import type { Shape } from '../fixtures/load.js';
import { SeededRandom } from '../fixtures/seeded-random.js';

const CLIENTS = 48;
const LEAST_IN_FLIGHT = 32;
const STOP_DEADLINE_MS = 60_000;
const DEADLINE_MS = 60_000;
/** Shorter than the longest streams, so that some end by themselves and some are ended. */
const DRAIN = { TOKONE_DRAIN_SECONDS: '2' };
/** Six seconds and more, so that some are under way when the drain is over, however late it begins. */
const OUTLIVING_STREAM: Shape = { streamed: true, directives: (random) => `output-tokens=${random.integer(8_000, 10_000)} chunk-tokens=40 chunk-delay-ms=30` };

const random = new SeededRandom(Number(process.env['TOKONE_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31)));

/** Starts a load and waits until streams are under way. */
async function streamsUnderWay(deployment: Deployment, baseUrl: string): Promise<Load> {
  const load = new Load({ random, clients: CLIENTS, keys: deployment.keys, shapes: [LONG_STREAM, OUTLIVING_STREAM, WAITING_ANSWER, ...MIXED] });
  load.start(baseUrl);
  await waitFor(() => load.endedCalls >= 20 && load.inFlight >= LEAST_IN_FLIGHT && load.calls.filter((call) => call.running && call.bytes > 0).length >= 10, { what: 'streams under way', deadlineMs: DEADLINE_MS, intervalMs: 5 });
  return load;
}

/** A client sees a whole answer, or something that cannot be taken for one. */
function lookedFinished(call: ClientCall): string[] {
  const { status, streamed, ended, sawEnd, sawError } = { ...call, streamed: call.plan.streamed };
  const label = `${call.plan.tag} (${call.plan.dialect.name}${streamed ? ' stream' : ''}): status ${status}, ${ended}, error: ${sawError}`;
  if (sawEnd) return sawError ? [`${label}, whole and yet an error`] : [];
  if (status === undefined) return [];
  if (status !== 200) return sawError ? [] : [`${label}, a refusal without an error body`];
  if (ended === 'clean') return [`${label}, a clean end of an answer that is not whole`];
  return streamed && !sawError ? [`${label}, cut off without an error event`] : [];
}

interface StopInput {
  deployment: Deployment;
  signal: 'SIGTERM' | 'SIGINT';
  wholeGroup: boolean;
}

/** Signals in the middle of the load; returns the exit code and what the clients saw. */
async function stopUnderLoad({ deployment, signal, wholeGroup }: StopInput): Promise<{ code: number | null; load: Load }> {
  const { program, addresses } = await deployment.start({ env: DRAIN, ownGroup: wholeGroup });
  const load = await streamsUnderWay(deployment, addresses.baseUrl);
  if (wholeGroup) process.kill(-program.processId, signal);
  const [{ code }] = await Promise.all([wholeGroup ? ended(program) : program.end(signal, STOP_DEADLINE_MS), load.stop()]);
  deployment.process = undefined;
  deployment.calls.push(...load.calls);
  return { code, load };
}

async function ended(program: ChildProgram): Promise<{ code: number | null }> {
  await waitFor(() => !program.running, { what: 'the program to end', deadlineMs: STOP_DEADLINE_MS });
  return program.exited;
}

describe('an orderly stop in the middle of streams', () => {
  let deployment: Deployment;
  beforeAll(async () => {
    deployment = await Deployment.create();
    await deployment.running.stop();
    deployment.process = undefined;
  }, 120_000);
  afterAll(async () => {
    process.stderr.write(`orderly stop, seed ${random.seed}: ${JSON.stringify({ requests: deployment?.calls.length })}\n`);
    await deployment?.dispose();
  }, 120_000);

  it.each([
    { title: 'SIGTERM', signal: 'SIGTERM' as const, wholeGroup: false },
    { title: 'Ctrl-C to the whole process group', signal: 'SIGINT' as const, wholeGroup: true },
  ])('$title finishes or properly fails the streams, exits 0, leaves no process and charges exactly', async ({ signal, wholeGroup }) => {
    const { code, load } = await stopUnderLoad({ deployment, signal, wholeGroup });
    expect(code).toBe(0);
    expect(load.calls.flatMap(lookedFinished)).toEqual([]);
    expect(processesOfFolder(deployment.dataFolder)).toEqual([]);
    // Both kinds of end were there to be judged.
    const duringStop = load.calls.filter((call) => call.endedWhileStopping);
    expect(duringStop.filter((call) => call.sawEnd).length).toBeGreaterThan(0);
    expect(duringStop.filter((call) => call.status === 200 && call.sawError).length).toBeGreaterThan(0);
    await deployment.readSpool();
    expect({ openOnly: deployment.evidence.openOnly.size, partial: deployment.evidence.partial.size }).toEqual({ openOnly: 0, partial: 0 });
    await deployment.start();
    await deployment.settled();
    expect(await deployment.findFaults()).toEqual([]);
    expect(await deployment.running.stop()).toBe(0);
    deployment.process = undefined;
  }, 180_000);

  it('with a provider of its own, a group-wide Ctrl-C ends streams in order too: the simulator and PostgreSQL outlive the drain', async () => {
    const folder = await makeTemporaryFolder('ctrl-c');
    try {
      const started = await StandaloneProcess.start({ dataFolder: folder.path, env: DRAIN, ownGroup: true });
      const load = new Load({ random, clients: 8, keys: started.addresses.keys, shapes: [SHORT_STREAM] });
      load.start(started.addresses.baseUrl);
      await waitFor(() => load.calls.filter((call) => call.running && call.bytes > 0).length >= 4, { what: 'streams under way', deadlineMs: DEADLINE_MS, intervalMs: 1 });
      process.kill(-started.program.processId, 'SIGINT');
      const [{ code }] = await Promise.all([ended(started.program), load.stop()]);
      expect(code).toBe(0);
      expect(load.calls.flatMap(lookedFinished)).toEqual([]);
      expect(load.calls.filter((call) => call.status === 200 && !call.sawEnd)).toEqual([]);
      expect(processesOfFolder(folder.path)).toEqual([]);
    } finally {
      await folder.remove();
    }
  }, 120_000);
});

describe('SIGTERM during the start', () => {
  let folder: TemporaryFolder;
  beforeAll(async () => {
    folder = await makeTemporaryFolder('stopped-start');
  });
  afterAll(() => folder.remove());

  /** Each appears later in the start than the one before it. */
  it.each(['lock', 'pepper', 'cluster', 'postgres.log', 'simulator.json', 'spool/spool.lock', 'operator.json'])('when %s is there exits 0 within 60 s and leaves no process', async (file) => {
    const data = `${folder.path}/${file.replaceAll(/\W/g, '-')}`;
    const program = new ChildProgram({ main: 'apps/standalone/dist/main.js', env: { PORT: '0', LOG_LEVEL: 'error', TOKONE_DATA_DIR: data } });
    await waitFor(() => existsSync(`${data}/${file}`), { what: file, deadlineMs: DEADLINE_MS, intervalMs: 1 });
    const early = !program.stdout.includes('TokOne is ready');
    const { code } = await program.end('SIGTERM', STOP_DEADLINE_MS);
    expect({ early, code, stderr: program.stderr }).toEqual({ early: true, code: 0, stderr: '' });
    expect(processesOfFolder(data)).toEqual([]);
  }, 120_000);
});
