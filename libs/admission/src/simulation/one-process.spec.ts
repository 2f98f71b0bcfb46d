import { describe, expect, it } from '@jest/globals';
import type { AdmissionPosting, HoldRule, Settlement } from '../admission.js';
import { MemoryAdmission } from '../memory-admission.js';
import type { Witnessed } from './model-server.js';
import { stateOf } from './model-state.js';
import { ProtocolSimulation } from './protocol-simulation.js';

/** The same seeds as of the scripts, see `protocol.integration.spec.ts`. */
const FIRST_SEED = Number(process.env['TOKONE_SIMULATION_SEED'] ?? 1);
const SCHEDULES = 1_000;
const STEPS = 250;
const WITHOUT_COUNTERPART = new Set(['begin', 'drop']);

/**
 * One admission for one schedule. Its account is there from its first request on, so one that is given back stands for
 * the opening. The map has no epochs, no fence and no tombstones: `begin` and `drop`, which here only forgets tombstones,
 * are left out; `announce`, `sees` and `forget`, servers that are lost, gateways that die, and what arrives late or
 * without an answer, do not occur in schedules of one process. Its restarts are in `admission-simulation.contract.ts`.
 */
class MapReplay {
  private readonly balances = new Map<string, { seq: bigint; balanceNanoUsd: bigint }>();
  readonly admission = new MemoryAdmission({ balances: { read: async (accountId) => this.balances.get(accountId) }, now: () => 0 });

  async run([name, accountId, ...args]: Witnessed['action']): Promise<unknown> {
    const { admission } = this;
    const [first, second] = args as [string, never];
    switch (name) {
      case 'open':
        this.balances.set(accountId, second);
        return this.load(accountId);
      case 'reserve':
        return admission.reserve({ accountId, requestId: first, amount: second as HoldRule });
      case 'extend':
        return admission.extend(accountId, first, second);
      case 'settle':
        return admission.settle(accountId, args[0] as Settlement);
      case 'void':
        return admission.release(accountId, first).then(() => 'void');
      case 'post':
        return admission.post({ accountId, ...(args[0] as Omit<AdmissionPosting, 'accountId'>) }).then(() => 'posted');
      default:
        throw new Error(`no replay of ${name} on the map`);
    }
  }

  stateOf(accountId: string): unknown {
    const account = this.admission.audit(0).accounts.find((one) => one.accountId === accountId);
    if (account === undefined) return undefined;
    const { seq, limitNanoUsd, heldNanoUsd, settledNanoUsd, records } = account;
    return { seq, limitNanoUsd, heldNanoUsd, settledNanoUsd, records: Object.fromEntries(records.map(({ requestId, state, amountNanoUsd }) => [requestId, `${state} ${amountNanoUsd}`])) };
  }

  private async load(accountId: string): Promise<boolean> {
    const first = await this.admission.reserve({ accountId, requestId: 'opening', amount: { inputNanoUsd: 0n, worstNanoUsd: 0n, firstStepNanoUsd: 0n, mode: 'limit_stated' } });
    await this.admission.release(accountId, 'opening');
    return first.status === 'held';
  }
}

/** Without what the map has not: the token of an opening, tombstones, and flags, which its answers show. */
function mapStateOf(account: NonNullable<Witnessed['account']>): unknown {
  const { ready: _ready, token: _token, records, ...sums } = stateOf(account);
  const kept = Object.entries(records).filter(([, record]) => record !== 'void').map(([id, record]) => [id, record.split(' ').slice(0, 2).join(' ')]);
  return { ...sums, records: Object.fromEntries(kept) };
}

describe('the map of one process', () => {
  it(`answers as the model in ${SCHEDULES} schedules, keeps the same, and takes no balance below zero (seeds ${FIRST_SEED} to ${FIRST_SEED + SCHEDULES - 1})`, async () => {
    const counts: Record<string, number> = {};
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SCHEDULES; seed++) {
      const history: { action: Witnessed['action']; answer: unknown; state: unknown }[] = [];
      const witness = ({ action, answer, account }: Witnessed): void => {
        if (!WITHOUT_COUNTERPART.has(action[0])) history.push(structuredClone({ action, answer, state: account && mapStateOf(account) }));
      };
      const outcome = new ProtocolSimulation({ seed, steps: STEPS, abandon: false, oneProcess: true, witness }).run();
      const map = new MapReplay();
      const replayed: unknown[] = [];
      for (const { action } of history) {
        counts[action[0]] = (counts[action[0]] ?? 0) + 1;
        replayed.push({ action, answer: await map.run(action), state: map.stateOf(action[1]) });
      }
      expect({ seed, replayed }).toEqual({ seed, replayed: history });
      expect({ seed, worst: outcome.worstNanoUsd >= 0n, open: outcome.open, disagreements: outcome.disagreements, ...map.admission.outstanding() }).toEqual({ seed, worst: true, open: 0, disagreements: 0, held: 0, settled: 0, heldNanoUsd: 0n });
    }
    for (const what of ['reserve', 'extend', 'settle', 'void', 'post']) expect(counts[what]).toBeGreaterThan(SCHEDULES);
  }, 120_000);
});
