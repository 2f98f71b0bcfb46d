import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { PriceSnapshot } from '@tokone/pricing';
import type { PriceBook } from './price-book.js';

/** A price as the suite states it: nano-USD per million tokens by default, from `longAbove` tokens on twice as much. */
export interface StatedPrice {
  model: string;
  inputNanoUsd: bigint;
  outputNanoUsd: bigint;
  longAbove: number;
  units: Readonly<Record<string, bigint>>;
}

/** One price book for one test, started, with the prices that were stated before. */
export interface PriceBookDriver {
  book: PriceBook;
  /** Makes these the current version, the only one that holds. */
  state(prices: readonly StatedPrice[]): Promise<void>;
  /** The book's source cannot be asked, until `restore`. Resolves when the book has noticed. */
  sever(): Promise<void>;
  restore(): Promise<void>;
  close(): Promise<void>;
}

/** The port's promise for a new version. */
const FRESH_MS = 5_000;
const CHEAP: StatedPrice = { model: 'cheap/model', inputNanoUsd: 1_000_000_000n, outputNanoUsd: 2_000_000_000n, longAbove: 1_000, units: { web_search: 10_000_000n } };
/** More nano-USD than a floating point number can hold. */
const DEAR: StatedPrice = { model: 'a dear one', inputNanoUsd: 9_007_199_254_740_993n, outputNanoUsd: 1n, longAbove: 5, units: {} };

/** The promises of `PriceBook`, the same for every driver. `makeDriver` states the given prices before it starts the book. */
export function priceBookContract(name: string, makeDriver: (prices: readonly StatedPrice[]) => Promise<PriceBookDriver>): void {
  describe(`PriceBook of ${name}`, () => {
    let driver: PriceBookDriver;
    beforeEach(async () => {
      driver = await makeDriver([CHEAP, DEAR]);
    });
    afterEach(async () => {
      await driver.close();
    });

    it('finds the current price of a model, to the last nano-USD, and none for a model without one', () => {
      const { book } = driver;
      for (const stated of [CHEAP, DEAR]) expect(book.find(stated.model)).toEqual(snapshotOf(stated, book.find(stated.model)?.id));
      expect([book.find('no such model'), book.find('constructor')]).toEqual([undefined, undefined]);
      expect(book.find(CHEAP.model)?.unitNanoUsd['constructor']).toBeUndefined();
    });

    it('names all models that have a price, by name', () => {
      expect(driver.book.models().map(({ model }) => model)).toEqual([DEAR.model, CHEAP.model]);
    });

    it('finds a snapshot by its id, and none for an id that never was', async () => {
      const { book } = driver;
      const id = book.find(CHEAP.model)?.id ?? '';
      expect(await book.byId(id)).toEqual(snapshotOf(CHEAP, id));
      expect(await book.byId(`${id} `)).toBeUndefined();
      expect(await book.byId('')).toBeUndefined();
    });

    it('sees a new version within 5 s, and still knows the old one by its id', async () => {
      const { book } = driver;
      const oldId = book.find(CHEAP.model)?.id ?? '';
      const dearId = book.find(DEAR.model)?.id ?? '';
      await driver.state([{ ...CHEAP, inputNanoUsd: 3n }]);
      await until(() => book.find(CHEAP.model)?.id !== oldId, FRESH_MS);
      expect(book.find(CHEAP.model)).toEqual(snapshotOf({ ...CHEAP, inputNanoUsd: 3n }, book.find(CHEAP.model)?.id));
      expect([book.find(DEAR.model), book.models().length]).toEqual([undefined, 1]);
      expect(await book.byId(oldId)).toEqual(snapshotOf(CHEAP, oldId));
      expect(await book.byId(dearId)).toEqual(snapshotOf(DEAR, dearId));
    });

    it('keeps its prices while its source is away, and follows it again afterwards', async () => {
      const { book } = driver;
      const oldId = book.find(CHEAP.model)?.id ?? '';
      await driver.sever();
      expect(book.find(CHEAP.model)).toEqual(snapshotOf(CHEAP, oldId));
      expect(await book.byId(oldId)).toEqual(snapshotOf(CHEAP, oldId));
      await driver.restore();
      await driver.state([{ ...CHEAP, outputNanoUsd: 7n }]);
      await until(() => book.find(CHEAP.model)?.id !== oldId, FRESH_MS);
      expect(book.find(CHEAP.model)?.tiers.default?.[0]?.nanoUsdPerMillion.output).toBe(7n);
    });
  });
}

function snapshotOf({ model, inputNanoUsd, outputNanoUsd, longAbove, units }: StatedPrice, id: string | undefined): PriceSnapshot {
  const bands = [
    { aboveInputTokens: 0, nanoUsdPerMillion: { input: inputNanoUsd, output: outputNanoUsd } },
    { aboveInputTokens: longAbove, nanoUsdPerMillion: { input: inputNanoUsd * 2n, output: outputNanoUsd * 2n } },
  ];
  return { id: id ?? 'none', model, platform: 'openai', maxInputTokens: 100_000, maxOutputTokens: 10_000, tiers: { default: bands }, unitNanoUsd: units };
}

async function until(condition: () => boolean, deadlineMs: number): Promise<void> {
  const deadline = AbortSignal.timeout(deadlineMs);
  while (!condition()) {
    if (deadline.aborted) throw new Error(`not true within ${deadlineMs} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
