import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RedisStore } from '@tokone/redis';
import { silentLogger } from '@tokone/telemetry';
import { testServers } from '@tokone/testing';
import type { AdmissionPosting, HoldRule, Settlement } from '../admission.js';
import { RedisAccounts } from '../redis/redis-accounts.js';
import { readStoredAccount } from '../redis/stored-account.js';
import { stateOf } from './model-state.js';
import type { AccountState } from './model-state.js';
import type { ModelHold, Witnessed } from './model-server.js';
import { ProtocolSimulation } from './protocol-simulation.js';
import type { SimulationOutcome } from './protocol-simulation.js';

/** The first seed; another one explores other schedules. A failure names its seed. */
const FIRST_SEED = Number(process.env['TOKONE_SIMULATION_SEED'] ?? 1);
const SCHEDULES = 100_000;
const ABANDONING_SCHEDULES = 20_000;
const REPLAYED_SCHEDULES = 1_000;
const REPLAYED_AT_ONCE = 16;
const STEPS = 250;

describe(`the protocol of admission, random schedules from seed ${FIRST_SEED} on`, () => {
  it(`never takes a balance below zero, and leaves nothing open (seeds ${FIRST_SEED} to ${FIRST_SEED + SCHEDULES - 1})`, () => {
    const { wrong, counts } = runAll(SCHEDULES, false, ({ worstNanoUsd, open, disagreements }) => worstNanoUsd < 0n || open > 0 || disagreements > 0);
    expect(wrong).toEqual([]);
    // No idle run: each trouble came, and each answer to it was needed.
    for (const what of ['killed', 'frozen', 'lost whole', 'lost in part', 'fence killed', 'late', 'announce', 'void', 'extend']) expect(counts[what]).toBeGreaterThan(SCHEDULES / 10);
  }, 300_000);

  it(`loses no more to gateways that were not waited for than these had (seeds ${FIRST_SEED} to ${FIRST_SEED + ABANDONING_SCHEDULES - 1})`, () => {
    const { wrong, exposed } = runAll(ABANDONING_SCHEDULES, true, ({ worstNanoUsd, exposedNanoUsd, open, disagreements }) => worstNanoUsd < -exposedNanoUsd || open > 0 || disagreements > 0);
    expect(wrong).toEqual([]);
    expect(exposed).toBeGreaterThan(0);
  }, 120_000);
});

describe('the scripts of admission', () => {
  let store: RedisStore;
  beforeAll(async () => {
    store = new RedisStore({ url: await testServers().redis(), clientName: 'protocol-spec', logger: silentLogger, now: () => performance.now(), deadlineMs: 5_000 });
    await store.untilConnected(5_000);
  });
  afterAll(() => store.close());

  it(`answer as the model in ${REPLAYED_SCHEDULES} of these schedules, and leave the same, action by action`, async () => {
    const run = randomUUID();
    const seeds = Array.from({ length: REPLAYED_SCHEDULES }, (_, index) => FIRST_SEED + index).values();
    // Each schedule has keys of its own. One after the other they would wait for the network most of the time.
    const lane = async (): Promise<void> => {
      for (const seed of seeds) await expectSame(seed, store, `${run}:${seed}`);
    };
    await Promise.all(Array.from({ length: REPLAYED_AT_ONCE }, lane));
  }, 300_000);
});

function runAll(schedules: number, abandon: boolean, isWrong: (outcome: SimulationOutcome) => boolean): { wrong: SimulationOutcome[]; counts: Record<string, number>; exposed: number } {
  const wrong: SimulationOutcome[] = [];
  const counts: Record<string, number> = {};
  let exposed = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + schedules; seed++) {
    const outcome = new ProtocolSimulation({ seed, steps: STEPS, abandon }).run();
    if (isWrong(outcome)) wrong.push(outcome);
    if (outcome.exposedNanoUsd > 0n) exposed++;
    for (const [what, count] of Object.entries(outcome.counts)) counts[what] = (counts[what] ?? 0) + count;
  }
  return { wrong: wrong.slice(0, 10), counts, exposed };
}

async function expectSame(seed: number, store: RedisStore, prefix: string): Promise<void> {
  const history: (Pick<Witnessed, 'server' | 'action' | 'answer'> & { state: AccountState | undefined })[] = [];
  // As it is at the action: what a ledger says is an object that it goes on to change.
  const witness = ({ server, action, answer, account }: Witnessed): void => void history.push(structuredClone({ server, action, answer, state: account && stateOf(account) }));
  new ProtocolSimulation({ seed, steps: STEPS, abandon: seed % 5 === 0, witness }).run();
  const replayed: { answer: unknown; state: AccountState | undefined }[] = [];
  for (const { server, action } of history) {
    const accounts = new RedisAccounts(store, `${prefix}:${server}:`);
    const answer = await replay(accounts, action);
    replayed.push({ answer, state: storedStateOf(await accounts.fieldsOf(action[1])) });
  }
  // Told with its place in the history: which action it was.
  expect(history.map(({ action }, index) => ({ seed, index, action, ...replayed[index] }))).toEqual(history.map(({ action, answer, state }, index) => ({ seed, index, action, answer, state })));
}

function storedStateOf(fields: Readonly<Record<string, string>>): AccountState | undefined {
  const stored = readStoredAccount(fields);
  if (stored === undefined) return undefined;
  const { ready, seq, limitNanoUsd, heldNanoUsd, settledNanoUsd, held, settled, tombstones } = stored;
  const records = [
    ...held.map(({ requestId, amountNanoUsd, value }): [string, string] => [requestId, `held ${amountNanoUsd} ${value.split('|')[2]}`]),
    ...settled.map(({ requestId, amountNanoUsd }): [string, string] => [requestId, `settled ${amountNanoUsd}`]),
    ...tombstones.map(({ requestId }): [string, string] => [requestId, 'void']),
  ];
  return { ready, token: fields['t'] ?? '', seq, limitNanoUsd, heldNanoUsd, settledNanoUsd, records: Object.fromEntries(records) };
}

/** One action of the model on a real account. */
async function replay(accounts: RedisAccounts, [name, accountId, ...args]: Witnessed['action']): Promise<unknown> {
  const [first, second] = args as [string, never];
  switch (name) {
    case 'reserve':
      return accounts.reserve(accountId, { requestId: first, owner: 'gateway', leaseMs: 600_000, rule: second as HoldRule });
    case 'extend':
      return accounts.extend(accountId, first, second);
    case 'settle':
      return accounts.settle(accountId, args[0] as Settlement);
    case 'void':
      return accounts.void(accountId, first);
    case 'post':
      return accounts.post({ accountId, ...(args[0] as Omit<AdmissionPosting, 'accountId'>) });
    case 'begin':
      return accounts.begin(accountId, { token: first, replica: 'token-', staleMs: 0 });
    case 'sees':
      return accounts.sees(accountId, first);
    case 'announce':
      return accounts.announce(accountId, { token: first, leaseMs: 600_000 }, (second as ModelHold[]).map((hold) => ({ requestId: hold.id, amountNanoUsd: hold.amountNanoUsd, extendable: hold.extendable, whole: false, owner: 'gateway' })));
    case 'open':
      return accounts.open(accountId, first, second);
    case 'drop': {
      const value = (await accounts.fieldsOf(accountId))[first];
      return void (value !== undefined && (await accounts.drop(accountId, [{ requestId: first, value }])));
    }
    case 'forget':
      return void (await accounts.forget(accountId));
    default:
      throw new Error(`no replay of ${name}`);
  }
}
