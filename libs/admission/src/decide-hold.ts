import type { HoldRule } from './admission.js';

export interface HoldDecision {
  holdNanoUsd: bigint;
  /** More may be taken later, as the output is counted. */
  extendable: boolean;
  /** The hold covers the worst case: nothing needs watching. */
  whole: boolean;
}

/**
 * The four cases of a hold, given what the account has available now. A quarter of it is the line below which the
 * worst case is simply held; above it a stream begins small and is extended, so that a request for far more output
 * than it will use is still served from a small balance.
 */
export function decideHold(rule: HoldRule, availableNanoUsd: bigint): HoldDecision {
  const quarter = availableNanoUsd / 4n;
  if (rule.worstNanoUsd <= quarter || rule.mode === 'limit_stated') {
    return { holdNanoUsd: rule.worstNanoUsd, extendable: false, whole: true };
  }
  const roomNanoUsd = quarter - rule.inputNanoUsd;
  const outputNanoUsd = roomNanoUsd > rule.firstStepNanoUsd ? roomNanoUsd : rule.firstStepNanoUsd;
  const holdNanoUsd = smaller(rule.worstNanoUsd, rule.inputNanoUsd + outputNanoUsd);
  const whole = holdNanoUsd === rule.worstNanoUsd;
  return { holdNanoUsd, extendable: rule.mode === 'stream' && !whole, whole };
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
