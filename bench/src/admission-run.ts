import type { HoldRule } from '@tokone/admission';
import { Uuid7Source } from '@tokone/protocol';
import type { AdmissionDriver } from './admission-driver.js';
import { BALANCE_NANO_USD } from './admission-driver.js';

export interface AdmissionTimes {
  requests: number;
  elapsedMs: number;
  reserveMs: number[];
  settleMs: number[];
}

const ACCOUNTS = 200;
const HOLD_NANO_USD = 2_000_000n;
const COST_NANO_USD = 700_000n;
const HELD_TOKENS = 500;
const USED_TOKENS = 120;
/** The ledger tells what it posted in batches, as its consumer reads them. */
const POST_INTERVAL_MS = 100;
const RULE: HoldRule = { inputNanoUsd: 500_000n, worstNanoUsd: HOLD_NANO_USD, firstStepNanoUsd: HOLD_NANO_USD, mode: 'limit_stated' };

/** Requests on one driver: each is reserved and settled, and posted with others of its account. */
export class AdmissionRun {
  private readonly ids = new Uuid7Source(() => Date.now());
  private readonly accountIds = Array.from({ length: ACCOUNTS }, () => this.ids.next());
  private settled = new Map<string, string[]>();
  private seq = 0n;

  constructor(private readonly driver: AdmissionDriver) {}

  /** So many requests at a time, for so long. Nothing is held or unposted afterwards. */
  async measure(lanes: number, sliceMs: number): Promise<AdmissionTimes> {
    const times: AdmissionTimes = { requests: 0, elapsedMs: 0, reserveMs: [], settleMs: [] };
    const startedMs = performance.now();
    const isOver = (): boolean => performance.now() - startedMs >= sliceMs;
    const posting = this.postWhile(() => !isOver());
    await Promise.all(Array.from({ length: lanes }, (_, lane) => this.lane(lane, times, isOver)));
    times.elapsedMs = performance.now() - startedMs;
    await posting;
    await this.postSettled();
    return times;
  }

  private async lane(number: number, times: AdmissionTimes, isOver: () => boolean): Promise<void> {
    const { admission, limits } = this.driver;
    for (let turn = number; !isOver(); turn += 7) {
      const accountId = this.accountIds[turn % ACCOUNTS] as string;
      const requestId = this.ids.next();
      const [startedMs, answer] = [performance.now(), await admission.reserve({ accountId, requestId, amount: RULE, limits, tokens: HELD_TOKENS })];
      const heldMs = performance.now();
      if (answer.status !== 'held' || answer.holdNanoUsd !== HOLD_NANO_USD) throw new Error(`a reserve was answered with ${answer.status}`);
      const granted = await admission.settle(accountId, { requestId, costNanoUsd: COST_NANO_USD, heldNanoUsd: HOLD_NANO_USD, usedTokens: USED_TOKENS });
      times.settleMs.push(performance.now() - heldMs);
      times.reserveMs.push(heldMs - startedMs);
      if (granted !== COST_NANO_USD) throw new Error(`${granted} of ${COST_NANO_USD} nano-USD were granted`);
      times.requests++;
      const settled = this.settled.get(accountId);
      if (settled) settled.push(requestId);
      else this.settled.set(accountId, [requestId]);
    }
  }

  private async postWhile(goesOn: () => boolean): Promise<void> {
    while (goesOn()) {
      await new Promise((resolve) => setTimeout(resolve, POST_INTERVAL_MS));
      await this.postSettled();
    }
  }

  private async postSettled(): Promise<void> {
    const batch = this.settled;
    this.settled = new Map();
    this.seq += 1n;
    for (const [accountId, requestIds] of batch) await this.driver.post({ accountId, seq: this.seq, balanceNanoUsd: BALANCE_NANO_USD, requestIds });
  }
}
