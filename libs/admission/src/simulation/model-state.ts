import type { ModelAccount } from './model-server.js';

/** An account of the model in the words in which a real one is held against it. */
export interface AccountState {
  ready: boolean;
  token: string;
  seq: bigint;
  limitNanoUsd: bigint;
  heldNanoUsd: bigint;
  settledNanoUsd: bigint;
  /** By request: `held amount flags` (1 extendable, 2 whole), `settled amount`, or `void`, a tombstone. */
  records: Record<string, string>;
}

export function stateOf({ phase, token, holds, tombstones }: ModelAccount): AccountState {
  const { seq, limitNanoUsd, heldNanoUsd, settledNanoUsd } = holds;
  const records: Record<string, string> = {};
  for (const [id, { state, amountNanoUsd, extendable, whole }] of holds.records) {
    records[id] = state === 'settled' ? `settled ${amountNanoUsd}` : `held ${amountNanoUsd} ${extendable ? 1 : whole ? 2 : 0}`;
  }
  for (const id of tombstones) records[id] = 'void';
  return { ready: phase === 'ready', token, seq, limitNanoUsd, heldNanoUsd, settledNanoUsd, records };
}
