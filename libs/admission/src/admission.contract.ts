import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Admission, BalanceSource, ReserveResult } from './admission.js';

/** One admission for one test, which knows nothing yet. */
export interface AdmissionDriver {
  admission: Admission;
  /** Records of all accounts now. */
  outstanding(): Promise<{ held: number; settled: number; heldNanoUsd: bigint }>;
  close(): Promise<void>;
}

export type MakeAdmissionDriver = (balances: BalanceSource) => Promise<AdmissionDriver>;

const ACCOUNT = '00000000-0000-7000-8000-0000000000a1';
const OTHER = '00000000-0000-7000-8000-0000000000a2';
const CENT = 10_000_000n;
const USD = 1_000_000_000n;

function idOf(number: number): string {
  return `00000000-0000-7000-9000-${number.toString(16).padStart(12, '0')}`;
}

/** Balances of accounts as a ledger knows them; a read can be kept waiting. */
class BalanceTable implements BalanceSource {
  readonly balances = new Map<string, { seq: bigint; balanceNanoUsd: bigint }>();
  reads = 0;
  failure: Error | undefined;
  wait: Promise<unknown> = Promise.resolve();

  async read(accountId: string): Promise<{ seq: bigint; balanceNanoUsd: bigint } | undefined> {
    this.reads++;
    const found = this.balances.get(accountId);
    await this.wait;
    if (this.failure) throw this.failure;
    return found;
  }
}

/** The promises of `Admission`, the same for every driver. */
export function admissionContract(name: string, makeDriver: MakeAdmissionDriver): void {
  describe(`Admission of ${name}`, () => {
    let table: BalanceTable;
    let driver: AdmissionDriver;
    let admission: Admission;
    let probes = 0xffff;
    beforeEach(async () => {
      table = new BalanceTable();
      table.balances.set(ACCOUNT, { seq: 5n, balanceNanoUsd: USD });
      table.balances.set(OTHER, { seq: 9n, balanceNanoUsd: USD });
      driver = await makeDriver(table);
      admission = driver.admission;
    });
    afterEach(() => driver.close());

    /** Holds exactly that much. */
    const reserve = (number: number, nanoUsd: bigint, accountId = ACCOUNT): Promise<ReserveResult> =>
      admission.reserve({ accountId, requestId: idOf(number), amount: { inputNanoUsd: nanoUsd, worstNanoUsd: nanoUsd, firstStepNanoUsd: 0n, mode: 'limit_stated' } });
    const stream = (number: number, worstNanoUsd: bigint): Promise<ReserveResult> =>
      admission.reserve({ accountId: ACCOUNT, requestId: idOf(number), amount: { inputNanoUsd: CENT, worstNanoUsd, firstStepNanoUsd: 2n * CENT, mode: 'stream' } });
    const post = (seq: bigint, balanceNanoUsd: bigint, ...numbers: number[]): Promise<void> =>
      admission.post({ accountId: ACCOUNT, seq, balanceNanoUsd, requestIds: numbers.map(idOf) });
    const settle = (number: number, costNanoUsd: bigint, heldNanoUsd = costNanoUsd): Promise<bigint> =>
      admission.settle(ACCOUNT, { requestId: idOf(number), costNanoUsd, heldNanoUsd });
    const extend = (number: number, nanoUsd: bigint) => admission.extend(ACCOUNT, idOf(number), nanoUsd);
    /** What the account has left, seen through the port alone: one nano-USD more is refused. */
    const expectAvailable = async (nanoUsd: bigint): Promise<void> => {
      // An id that was released is never reserved again.
      const number = ++probes;
      expect(await reserve(number, nanoUsd + 1n)).toMatchObject({ availableNanoUsd: nanoUsd });
      expect(await reserve(number, nanoUsd)).toMatchObject({ status: 'held', holdNanoUsd: nanoUsd });
      await admission.release(ACCOUNT, idOf(number));
    };

    describe('reserve', () => {
      it('holds all or nothing', async () => {
        expect(await reserve(1, USD)).toEqual({ status: 'held', holdNanoUsd: USD, extendable: false, whole: true });
        expect(await driver.outstanding()).toEqual({ held: 1, settled: 0, heldNanoUsd: USD });
        expect(await reserve(2, 1n)).toEqual({ status: 'balance_held', availableNanoUsd: 0n, neededNanoUsd: 1n });
        expect(await driver.outstanding()).toEqual({ held: 1, settled: 0, heldNanoUsd: USD });
      });

      it('admits exactly 20 of 1,000 concurrent requests of $0.05 on $1', async () => {
        const results = await Promise.all(Array.from({ length: 1_000 }, (_, number) => reserve(number, 5n * CENT)));
        expect(results.filter(({ status }) => status === 'held')).toHaveLength(20);
        expect(results.filter(({ status }) => status === 'balance_held')).toHaveLength(980);
        expect(await driver.outstanding()).toEqual({ held: 20, settled: 0, heldNanoUsd: USD });
      });

      it('tells what the balance cannot cover from what running requests hold', async () => {
        expect(await reserve(1, USD + 1n)).toEqual({ status: 'insufficient_balance', availableNanoUsd: USD, neededNanoUsd: USD + 1n });
        await reserve(2, 60n * CENT);
        expect(await reserve(3, 41n * CENT)).toEqual({ status: 'balance_held', availableNanoUsd: 40n * CENT, neededNanoUsd: 41n * CENT });
        await settle(2, 60n * CENT);
        expect(await reserve(3, 41n * CENT)).toEqual({ status: 'insufficient_balance', availableNanoUsd: 40n * CENT, neededNanoUsd: 41n * CENT });
      });

      it('keeps accounts apart', async () => {
        await reserve(1, USD);
        expect(await reserve(2, USD, OTHER)).toMatchObject({ status: 'held' });
      });

      it('gives a repeated request the decision that it had, and holds once', async () => {
        const first = await stream(1, 10n * USD);
        expect(first).toEqual({ status: 'held', holdNanoUsd: 25n * CENT, extendable: true, whole: false });
        expect(await stream(1, 10n * USD)).toEqual(first);
        await extend(1, CENT);
        expect(await stream(1, 10n * USD)).toEqual({ ...first, holdNanoUsd: 26n * CENT });
        expect(await driver.outstanding()).toEqual({ held: 1, settled: 0, heldNanoUsd: 26n * CENT });
      });

      it('admits what is free on an empty balance, but not on a debt', async () => {
        await reserve(1, USD);
        expect(await reserve(2, 0n)).toMatchObject({ status: 'held', holdNanoUsd: 0n });
        await post(6n, -1n, 1);
        expect(await reserve(3, 0n)).toEqual({ status: 'insufficient_balance', availableNanoUsd: 0n, neededNanoUsd: 0n });
      });

      it('reads a balance once for all who wait for it', async () => {
        await Promise.all([reserve(1, 1n), reserve(2, 1n), reserve(3, 1n)]);
        await reserve(4, 1n);
        expect(table.reads).toBe(1);
      });

      it('is unavailable for an account that nobody knows', async () => {
        expect(await reserve(1, 1n, '00000000-0000-7000-8000-0000000000ff')).toMatchObject({ status: 'unavailable' });
      });

      it('is unavailable, and not refused, while the balance cannot be read; then it is asked for again', async () => {
        table.failure = new Error('no database');
        expect(await reserve(1, 1n)).toMatchObject({ status: 'unavailable', cause: table.failure });
        table.failure = undefined;
        expect(await reserve(1, 1n)).toMatchObject({ status: 'held' });
      });
    });

    describe('extend', () => {
      it('adds to the hold while there is enough', async () => {
        await reserve(1, 10n * CENT);
        expect(await extend(1, 5n * CENT)).toEqual({ addedNanoUsd: 5n * CENT, holdNanoUsd: 15n * CENT });
        await expectAvailable(85n * CENT);
      });

      it('takes what is left at last, and then nothing', async () => {
        await reserve(1, 90n * CENT);
        await reserve(2, 7n * CENT);
        expect(await extend(1, 5n * CENT)).toEqual({ addedNanoUsd: 3n * CENT, holdNanoUsd: 93n * CENT });
        expect(await extend(1, 5n * CENT)).toEqual({ addedNanoUsd: 0n, holdNanoUsd: 93n * CENT });
        await expectAvailable(0n);
      });

      it('adds nothing to what has no hold', async () => {
        await reserve(1, CENT);
        await settle(1, CENT);
        await reserve(2, CENT);
        await admission.release(ACCOUNT, idOf(2));
        for (const number of [1, 2, 3]) expect(await extend(number, CENT)).toEqual({ addedNanoUsd: 0n, holdNanoUsd: 0n });
        await expectAvailable(99n * CENT);
      });

      it('never takes from a balance that fell below what is held', async () => {
        await reserve(1, 50n * CENT);
        await post(6n, 20n * CENT);
        expect(await extend(1, CENT)).toEqual({ addedNanoUsd: 0n, holdNanoUsd: 50n * CENT });
      });
    });

    describe('settle', () => {
      it('grants a cost within the hold and frees the rest', async () => {
        await reserve(1, 50n * CENT);
        expect(await settle(1, 20n * CENT)).toBe(20n * CENT);
        expect(await driver.outstanding()).toEqual({ held: 0, settled: 1, heldNanoUsd: 0n });
        await expectAvailable(80n * CENT);
      });

      it('grants a cost beyond the hold as far as the balance still covers it', async () => {
        await reserve(1, 50n * CENT);
        await reserve(2, 40n * CENT);
        expect(await settle(1, 500n * CENT)).toBe(60n * CENT);
        expect(await settle(2, 41n * CENT)).toBe(40n * CENT);
        await expectAvailable(0n);
      });

      it('gives a repeated request its first answer', async () => {
        await reserve(1, 50n * CENT);
        await settle(1, 20n * CENT);
        expect(await settle(1, 30n * CENT)).toBe(20n * CENT);
        expect(await settle(1, 0n)).toBe(20n * CENT);
        await expectAvailable(80n * CENT);
      });

      it('repeats a grant of nothing', async () => {
        await reserve(1, 0n);
        await reserve(2, USD);
        expect(await settle(1, CENT)).toBe(0n);
        expect(await settle(1, CENT)).toBe(0n);
      });

      it('leaves no record of what cost nothing', async () => {
        await reserve(1, 50n * CENT);
        expect(await settle(1, 0n)).toBe(0n);
        expect(await driver.outstanding()).toEqual({ held: 0, settled: 0, heldNanoUsd: 0n });
        await expectAvailable(USD);
      });

      it('grants a hold although the balance covers less by now, but to who lets it be less what is covered', async () => {
        for (const number of [1, 2, 3]) await reserve(number, 30n * CENT);
        await post(6n, 50n * CENT);
        expect(await settle(1, 30n * CENT)).toBe(30n * CENT);
        expect(await admission.settle(ACCOUNT, { requestId: idOf(2), costNanoUsd: 30n * CENT, heldNanoUsd: 30n * CENT, mayBeLess: true })).toBe(0n);
        expect(await admission.settle(ACCOUNT, { requestId: idOf(3), costNanoUsd: 30n * CENT, heldNanoUsd: 30n * CENT, mayBeLess: true })).toBe(20n * CENT);
        await expectAvailable(0n);
      });

      it('counts a request without a hold, up to what its gateway says was held, until its posting is told again', async () => {
        await reserve(1, 50n * CENT);
        await settle(1, 20n * CENT);
        await post(6n, 80n * CENT, 1);
        expect(await settle(1, 30n * CENT, 20n * CENT)).toBe(20n * CENT);
        expect(await driver.outstanding()).toEqual({ held: 0, settled: 1, heldNanoUsd: 0n });
        await post(6n, 80n * CENT, 1);
        expect(await driver.outstanding()).toEqual({ held: 0, settled: 0, heldNanoUsd: 0n });
        await expectAvailable(80n * CENT);
      });

      it('grants a request without a hold no more than what is available', async () => {
        await reserve(1, 90n * CENT);
        expect(await settle(2, 30n * CENT)).toBe(10n * CENT);
        expect(await settle(3, 30n * CENT)).toBe(0n);
        await expectAvailable(0n);
      });
    });

    describe('release', () => {
      it('gives a hold back, once', async () => {
        await reserve(1, 50n * CENT);
        await admission.release(ACCOUNT, idOf(1));
        await admission.release(ACCOUNT, idOf(1));
        await admission.release(OTHER, idOf(1));
        await expectAvailable(USD);
      });

      it('leaves what is settled', async () => {
        await reserve(1, 50n * CENT);
        await settle(1, 20n * CENT);
        await admission.release(ACCOUNT, idOf(1));
        await expectAvailable(80n * CENT);
      });
    });

    describe('post', () => {
      it('moves a request from its record into the balance in one step', async () => {
        await reserve(1, 50n * CENT);
        await settle(1, 20n * CENT);
        await post(6n, 80n * CENT, 1);
        expect(await driver.outstanding()).toEqual({ held: 0, settled: 0, heldNanoUsd: 0n });
        await expectAvailable(80n * CENT);
      });

      it('is idempotent', async () => {
        await reserve(1, 20n * CENT);
        await settle(1, 20n * CENT);
        for (let time = 0; time < 3; time++) await post(6n, 80n * CENT, 1);
        await expectAvailable(80n * CENT);
      });

      it('keeps the newer balance when postings overtake each other, and still removes what the older one names', async () => {
        await reserve(1, 20n * CENT);
        await settle(1, 20n * CENT);
        await reserve(2, 30n * CENT);
        await settle(2, 30n * CENT);
        await post(7n, 50n * CENT, 2);
        await post(6n, 80n * CENT, 1);
        expect(await driver.outstanding()).toEqual({ held: 0, settled: 0, heldNanoUsd: 0n });
        await expectAvailable(50n * CENT);
      });

      it('makes a top-up spendable', async () => {
        await reserve(1, USD);
        await post(6n, 3n * USD);
        await expectAvailable(2n * USD);
      });

      it('removes a hold whose settling never arrived', async () => {
        await reserve(1, 50n * CENT);
        await post(6n, 70n * CENT, 1);
        await expectAvailable(70n * CENT);
      });

      it('does not open an account that is not loaded', async () => {
        await post(6n, 3n * USD);
        expect(table.reads).toBe(0);
        await expectAvailable(USD);
      });

      it('that arrives while the balance is read is not lost', async () => {
        let open = (_value?: unknown): void => undefined;
        table.wait = new Promise((resolve) => (open = resolve));
        const reserved = reserve(1, 30n * CENT);
        await until(() => table.reads === 1);
        await post(6n, 40n * CENT);
        await post(7n, 20n * CENT);
        await post(6n, 40n * CENT);
        open();
        expect(await reserved).toEqual({ status: 'insufficient_balance', availableNanoUsd: 20n * CENT, neededNanoUsd: 30n * CENT });
        await expectAvailable(20n * CENT);
      });

      it('that is older than the balance that was read changes nothing', async () => {
        let open = (_value?: unknown): void => undefined;
        table.wait = new Promise((resolve) => (open = resolve));
        const reserved = reserve(1, 30n * CENT);
        await until(() => table.reads === 1);
        await post(4n, 10n * CENT);
        open();
        expect(await reserved).toMatchObject({ status: 'held' });
      });
    });
  });
}

/** Lets other work run until it is so; a deadline of 5 s. */
async function until(condition: () => boolean): Promise<void> {
  const startedAtMs = performance.now();
  while (!condition()) {
    if (performance.now() - startedAtMs > 5_000) throw new Error('it did not come to pass within 5 s');
    await new Promise((resolve) => setImmediate(resolve));
  }
}
