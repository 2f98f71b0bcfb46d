import { tokensFor, tokensNanoUsd } from '@tokone/pricing';
import { STEP_TOKENS } from './request-plan.js';

export interface HoldWatchOptions {
  holdNanoUsd: bigint;
  inputNanoUsd: bigint;
  outputNanoUsdPerMillion: bigint;
  /** The hold covers the worst case: nothing is watched. */
  whole: boolean;
  extendable: boolean;
}

export type HoldVerdict = 'go' | 'extend' | 'wait' | 'exhausted';

/** From this share of the paid output on, the next step is asked for. */
const EXTEND_AT = 0.8;
/**
 * Text is counted at four bytes a token, but in some languages a token has three times as many. A provider that keeps
 * to its limit must not be stopped before it reports, so an unwatched hold ends only far beyond what it pays for.
 */
const RUNAWAY_FACTOR = 4;

/** Compares the output read so far with what the hold pays for. Holds no clock and does no I/O. */
export class HoldWatch {
  private holdNanoUsd: bigint;
  private paidTokens: number;
  private asking = false;
  /** The last extension brought less than a step: the next one is asked for only when it is needed. */
  private dry = false;
  /** What was asked for when it was needed brought nothing. */
  private refused = false;
  private needed = false;
  private frozen = false;

  constructor(private readonly options: HoldWatchOptions) {
    this.holdNanoUsd = options.holdNanoUsd;
    this.paidTokens = this.tokensOf(options.holdNanoUsd);
  }

  /** All that is held, nano-USD. */
  get held(): bigint {
    return this.holdNanoUsd;
  }

  /** One step, nano-USD. */
  get stepNanoUsd(): bigint {
    return tokensNanoUsd(STEP_TOKENS, this.options.outputNanoUsdPerMillion);
  }

  /** Output is compared with the hold while the client reads. */
  get watching(): boolean {
    return !this.options.whole;
  }

  /** Output up to here may go out. */
  pays(tokens: number): boolean {
    return this.options.whole || tokens <= this.paidTokens;
  }

  /**
   * What to do now that `tokens` of output have been read: `go` on; ask for an extension and go on (`extend`);
   * `wait` for the one that is asked for, because these tokens are not paid yet; or stop (`exhausted`).
   */
  judge(tokens: number): HoldVerdict {
    if (this.options.whole) return this.frozen && tokens > this.paidTokens * RUNAWAY_FACTOR ? 'exhausted' : 'go';
    const unpaid = tokens > this.paidTokens;
    if (this.asking) return unpaid ? 'wait' : 'go';
    const canAsk = this.options.extendable && !this.frozen && !this.refused;
    this.needed = unpaid;
    if (canAsk && (unpaid || (!this.dry && tokens > this.paidTokens * EXTEND_AT))) return 'extend';
    return unpaid ? 'exhausted' : 'go';
  }

  /** An extension is under way. */
  ask(): void {
    this.asking = true;
  }

  /**
   * It was answered. Less than a step means that little is left now; but other requests end and balances are topped
   * up, so only an extension that is needed and brings nothing is the end.
   */
  extended(addedNanoUsd: bigint): void {
    this.asking = false;
    this.holdNanoUsd += addedNanoUsd;
    this.dry = addedNanoUsd < this.stepNanoUsd;
    this.refused = this.needed && addedNanoUsd === 0n;
    this.paidTokens = this.tokensOf(this.holdNanoUsd);
  }

  /** No more is asked for: the client has left. */
  freeze(): void {
    this.frozen = true;
  }

  private tokensOf(holdNanoUsd: bigint): number {
    return tokensFor(holdNanoUsd - this.options.inputNanoUsd, this.options.outputNanoUsdPerMillion);
  }
}
