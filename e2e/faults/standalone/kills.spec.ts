import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@tokone/testing';
import { Deployment } from '../fixtures/standalone-deployment.js';
import { processesOfFolder } from '../fixtures/left-behind.js';
import { EXTENDED_STREAM, Load, MIXED, QUICK } from '../fixtures/load.js';
import { SeededRandom } from '../fixtures/seeded-random.js';
import { readSpoolEvidence } from '../fixtures/spool-evidence.js';
import type { SpoolEvidence } from '../fixtures/spool-evidence.js';
import { countOtherConnections, countUnposted } from '../fixtures/usage-rows.js';
import { WIRE_DIALECTS } from '../fixtures/wire-dialect.js';

/** `npm test` kills once in each of the three ways, `npm run test:faults` so often that the load is met everywhere. */
const ALL_KILLS = 20;
const KILLS = Number(process.env['TOKONE_TEST_KILLS'] ?? ALL_KILLS);
const CLIENTS = 48;
const LEAST_IN_FLIGHT = 32;
const LEAST_RECOVERY_KILLS = 5;
const CHECK_EVERY = 5;
const PROGRESS_DEADLINE_MS = 60_000;
const STRICT = { TOKONE_SPOOL_STRICT: 'yes' };

const random = new SeededRandom(Number(process.env['TOKONE_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31)));
/** A search for a moment between two writes looks so often. */
const MOST_LOOKS = 100;
const hits = { kills: 0, leastInFlight: Infinity, openOnly: 0, partial: 0, extended: 0, closedUnseen: 0, unposted: 0, recoveryKills: 0, beforeItsCloses: 0, behindItsCloses: 0, twice: 0 };
let deployment: Deployment;

beforeAll(async () => {
  deployment = await Deployment.create();
}, 120_000);

afterAll(async () => {
  process.stderr.write(`kill -9, seed ${random.seed}: ${JSON.stringify({ ...hits, requests: deployment?.calls.length })}\n`);
  await deployment?.dispose();
}, 120_000);

/** Kills at a moment counted in the clients' own progress, or when `aimed` has found one, and writes down what stood where. */
async function killUnderLoad(load: Load, aimed: () => Promise<void> = async () => undefined): Promise<SpoolEvidence> {
  const moment = random.integer(30, 250);
  const small = new Load({ random, clients: 1, keys: { openai: '', anthropic: await deployment.smallKey(), gemini: '' }, shapes: [EXTENDED_STREAM], dialects: WIRE_DIALECTS.filter(({ name }) => name === 'anthropic') });
  for (const each of [load, small]) each.start(deployment.running.addresses.baseUrl);
  await waitFor(() => load.endedCalls >= moment && load.inFlight >= LEAST_IN_FLIGHT, { what: `${moment} ended calls`, deadlineMs: PROGRESS_DEADLINE_MS, intervalMs: 1 });
  await aimed();
  hits.kills++;
  hits.leastInFlight = Math.min(hits.leastInFlight, load.inFlight);
  const evidence = await deployment.kill();
  for (const each of [load, small]) {
    await each.stop();
    deployment.calls.push(...each.calls);
  }
  hits.openOnly += evidence.openOnly.size;
  hits.partial += evidence.partial.size;
  hits.extended += evidence.extended.size;
  hits.closedUnseen += closedUnseen(load, evidence);
  hits.unposted += await unpostedAfterKill();
  return evidence;
}

/** Answers whose CLOSE is written as a whole one, and whose end their clients never got. */
function closedUnseen(load: Load, { closed, partial, openOnly }: SpoolEvidence): number {
  const seen = new Set(load.calls.filter((call) => call.sawEnd).map((call) => call.requestId));
  return [...closed].filter(([id, outcome]) => outcome === 'completed' && !seen.has(id) && !partial.has(id) && !openOnly.has(id)).length;
}

/** PostgreSQL lives on: once the dead process's connections are gone, nothing moves any more. */
function unpostedAfterKill(): Promise<number> {
  return deployment.query(async (pool) => {
    await waitFor(async () => (await countOtherConnections(pool)) === 0, { what: 'the connections of the killed process to be gone', deadlineMs: PROGRESS_DEADLINE_MS });
    return (await countUnposted(pool)).charges;
  });
}

function newLoad(shapes = MIXED): Load {
  return new Load({ random, clients: CLIENTS, keys: deployment.keys, shapes });
}

/** Holds the process still until its spool shows a whole answer that its client has not got; else lets it go on for a while. */
async function stopWhereEndIsUnseen(load: Load): Promise<void> {
  const { child } = deployment.running.program;
  for (let look = 0; look < MOST_LOOKS; look++) {
    child.kill('SIGSTOP');
    // Not kept as evidence: what is open now may end in order when it goes on.
    if (closedUnseen(load, await readSpoolEvidence(deployment.spoolFolder)) > 0) return;
    child.kill('SIGCONT');
    const ended = load.endedCalls + random.integer(1, 30);
    await waitFor(() => load.endedCalls >= ended, { what: 'further ends', deadlineMs: PROGRESS_DEADLINE_MS, intervalMs: 1 });
  }
  throw new Error(`no answer was between its CLOSE and its end in ${MOST_LOOKS} looks`);
}

/** Locks the wallet, so that what is rated cannot be posted, until the outbox shows it. */
async function killWhileUnposted(load: Load): Promise<void> {
  await deployment.query(async (pool) => {
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      await client.query("SELECT 1 FROM account.ledger_accounts WHERE kind = 'wallet' FOR UPDATE");
      const rated = async () => (await countUnposted(pool)).outboxRows > 0;
      await killUnderLoad(load, async () => void (await waitFor(rated, { what: 'rated charges that are not posted', deadlineMs: PROGRESS_DEADLINE_MS })));
      await client.query('ROLLBACK');
    } finally {
      client.release();
    }
  });
}

/** Kills so many starts one after the other, each between its opening of the spool and its ready line. */
async function killRecovery(before: SpoolEvidence, times: number): Promise<void> {
  const killed = hits.recoveryKills;
  for (let time = 0; time < times; time++) await killOneRecovery(before);
  if (hits.recoveryKills - killed > 1) hits.twice++;
}

async function killOneRecovery(before: SpoolEvidence): Promise<void> {
  const program = deployment.begin();
  const lockPath = join(deployment.spoolFolder, 'spool.lock');
  await waitFor(() => holderOf(lockPath) === program.processId || !program.running, { what: 'the start to open the spool', deadlineMs: PROGRESS_DEADLINE_MS, intervalMs: 1 });
  // The recovery is over within milliseconds, rating and posting take longer: both parts get their share of the moments.
  const momentMs = random.integer(0, random.pick([10, 250]));
  await new Promise((resolve) => setTimeout(resolve, momentMs));
  const ready = program.stdout.includes('TokOne is ready');
  expect(program.running ? '' : program.stderr).toBe('');
  await program.end('SIGKILL');
  if (ready) return;
  hits.recoveryKills++;
  const after = await deployment.readSpool();
  if (openRequests(before) === 0) return;
  if (openRequests(after) === openRequests(before)) hits.beforeItsCloses++;
  else hits.behindItsCloses++;
}

function openRequests({ openOnly, partial }: SpoolEvidence): number {
  return openOnly.size + partial.size;
}

function holderOf(lockPath: string): number | undefined {
  try {
    return (JSON.parse(readFileSync(lockPath, 'utf8')) as { pid: number }).pid;
  } catch {
    return undefined;
  }
}

function postmasters(): number {
  return processesOfFolder(deployment.dataFolder).filter(({ command }) => command.includes(`-D ${deployment.dataFolder}/cluster`)).length;
}

describe('kill -9 under load, on one data folder', () => {
  it(`charges what the clients saw finished, nothing twice, and leaves no hold, over ${KILLS} kills and kills of the recovery`, async () => {
    const { simulatorUrl } = deployment.running.addresses;
    for (let kill = 1; kill <= KILLS; kill++) {
      const evidence = await killUnderLoad(newLoad());
      await killRecovery(evidence, kill % 3);
      await deployment.start({ env: kill % 2 === 0 ? STRICT : {} });
      // What the killed process had started was taken over, not started once more.
      expect({ simulatorUrl: deployment.running.addresses.simulatorUrl, postmasters: postmasters() }).toEqual({ simulatorUrl, postmasters: 1 });
      await deployment.settled();
      if (kill % CHECK_EVERY === 0 || kill === KILLS) expect(await deployment.findFaults()).toEqual([]);
    }
    expect(hits.leastInFlight).toBeGreaterThanOrEqual(LEAST_IN_FLIGHT);
    if (KILLS < ALL_KILLS) return;
    expect(hits.openOnly).toBeGreaterThan(0);
    expect(hits.partial).toBeGreaterThan(0);
    expect(hits.extended).toBeGreaterThan(0);
    expect(hits.recoveryKills).toBeGreaterThanOrEqual(LEAST_RECOVERY_KILLS);
    expect(hits.twice).toBeGreaterThan(0);
  }, 300_000);

  it('between the CLOSE of a whole answer and its end at the client charges the answer', async () => {
    await deployment.running.stop();
    await deployment.start({ env: STRICT });
    const load = newLoad(QUICK);
    const before = hits.closedUnseen;
    await killUnderLoad(load, () => stopWhereEndIsUnseen(load));
    expect(hits.closedUnseen).toBeGreaterThan(before);
    await deployment.start();
    await deployment.settled();
    expect(await deployment.findFaults()).toEqual([]);
  }, 120_000);

  it('between rating and posting posts each charge once', async () => {
    const before = hits.unposted;
    await killWhileUnposted(newLoad(QUICK));
    expect(hits.unposted).toBeGreaterThan(before);
    await deployment.start();
    await deployment.settled();
    expect(await deployment.findFaults()).toEqual([]);
  }, 120_000);
});
