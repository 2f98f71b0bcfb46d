import { describe, expect, it } from '@jest/globals';
import { AccountPassage } from './account-passage.js';
import { TrackedHolds } from './tracked-holds.js';
import { UnansweredActions } from './unanswered-actions.js';

const hold = { holdNanoUsd: 5n, extendable: false, whole: true };

function actionsWith(most: number): { holds: TrackedHolds; actions: UnansweredActions } {
  const holds = new TrackedHolds();
  const never = (): Promise<never> => Promise.reject(new Error('no answer'));
  const passage = new AccountPassage({ accounts: { sees: never }, store: { reconnect: () => undefined }, opener: { open: never }, now: () => 0 });
  return { holds, actions: new UnansweredActions({ accounts: { void: never, settle: never }, passage, holds, now: () => 0, most }) };
}

describe('what Redis did not answer', () => {
  it('is kept up to a bound; beyond it the hold is no longer renewed, so that the sweeper finds it', () => {
    const { holds, actions } = actionsWith(1);
    for (const requestId of ['first', 'second']) {
      holds.add('account', requestId, hold);
      actions.add({ kind: 'settle', accountId: 'account', requestId, costNanoUsd: 5n, heldNanoUsd: 5n });
    }
    expect(actions.size).toBe(1);
    expect([holds.has('account', 'first'), holds.has('account', 'second')]).toEqual([true, false]);
    expect(holds.outstanding()).toEqual({ held: 1, heldNanoUsd: 5n });
  });
});
