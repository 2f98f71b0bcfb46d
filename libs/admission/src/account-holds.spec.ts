import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { AccountHolds } from './account-holds.js';

type Action = readonly ['reserve' | 'extend' | 'settle' | 'release', request: number, nanoUsd: bigint];

const actions = fc.array(fc.tuple(fc.constantFrom('reserve', 'extend', 'settle', 'release'), fc.nat(9), fc.bigInt(0n, 400n)), { maxLength: 60 }) as fc.Arbitrary<Action[]>;

function take(account: AccountHolds, [name, request, nanoUsd]: Action): void {
  const id = `request-${request}`;
  if (name === 'reserve') account.reserve(id, { inputNanoUsd: nanoUsd / 2n, worstNanoUsd: nanoUsd, firstStepNanoUsd: 1n, mode: 'stream' }, 0);
  else if (name === 'extend') account.extend(id, nanoUsd);
  else if (name === 'settle') account.settle({ requestId: id, costNanoUsd: nanoUsd, heldNanoUsd: 0n }, 0);
  else account.release(id);
}

describe('one account of admission', () => {
  it('never gives away more than its limit, and its sums are those of its records, for any actions', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 1_000n), actions, (limit, all) => {
        const account = new AccountHolds(1n, limit);
        for (const action of all) {
          take(account, action);
          const sums = { held: 0n, settled: 0n };
          for (const { state, amountNanoUsd } of account.records.values()) sums[state] += amountNanoUsd;
          expect(sums).toEqual({ held: account.heldNanoUsd, settled: account.settledNanoUsd });
          expect(account.heldNanoUsd + account.settledNanoUsd).toBeLessThanOrEqual(limit);
        }
      }),
    );
  });

  it('is at its limit again when everything that was settled is posted and everything else released', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 1_000n), actions, (limit, all) => {
        const account = new AccountHolds(1n, limit);
        for (const action of all) take(account, action);
        const settled = [...account.records].filter(([, { state }]) => state === 'settled');
        const spent = account.settledNanoUsd;
        for (const id of [...account.records.keys()]) account.release(id);
        account.post({ seq: 2n, balanceNanoUsd: limit - spent, requestIds: settled.map(([id]) => id) });
        expect(account.availableNanoUsd).toBe(limit - spent);
        expect(account.records.size).toBe(0);
      }),
    );
  });
});
