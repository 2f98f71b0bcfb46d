import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startBillingDatabase, until } from './fixtures/billing-database.js';
import type { BillingDatabase } from './fixtures/billing-database.js';
import { NOW_MS, RecordedLog, TEST_SEED } from './fixtures/usage-events.js';
import { LocalPriceBook } from './price-book.js';
import { readPriceSeed } from './price-seed.js';
import type { PriceSeed } from './price-seed.js';
import { ensurePriceBook } from './seed-price-book.js';

let database: BillingDatabase;
let book: LocalPriceBook;

beforeAll(async () => {
  database = await startBillingDatabase();
});
afterAll(async () => {
  await database.close();
});
beforeEach(async () => {
  await database.clear();
  book = new LocalPriceBook(database.pool, new RecordedLog(), 20);
});
afterEach(async () => {
  await book.stop();
});

/** The test prices with another price for input. */
function seedAt(input: string): PriceSeed {
  const seed = structuredClone(TEST_SEED);
  const band = seed.models['test-model']?.tiers.default[0];
  if (band) band.usdPerMillion.input = input;
  return seed;
}

const inputOf = (model: string): bigint | undefined => book.find(model)?.tiers.default?.[0]?.nanoUsdPerMillion.input;

describe('ensurePriceBook', () => {
  it('makes version 1, and no other for the same prices', async () => {
    expect(await ensurePriceBook(database.pool, TEST_SEED, NOW_MS)).toBe(1);
    expect(await ensurePriceBook(database.pool, structuredClone(TEST_SEED), NOW_MS + 1)).toBe(1);
  });

  it('makes a new version when a price is new, and does not bring an old version back', async () => {
    await ensurePriceBook(database.pool, TEST_SEED, NOW_MS);
    expect(await ensurePriceBook(database.pool, seedAt('3'), NOW_MS)).toBe(2);
    expect(await ensurePriceBook(database.pool, TEST_SEED, NOW_MS)).toBe(2);
  });

  it("keeps to what an operator states, also when that is an older table again, and to the product's once it is gone", async () => {
    const operator = (input: string): PriceSeed => ({ ...seedAt(input), origin: 'operator' });
    const tables = [TEST_SEED, operator('3'), operator('4'), operator('3'), operator('3'), TEST_SEED, TEST_SEED];
    const versions: number[] = [];
    for (const table of tables) versions.push(await ensurePriceBook(database.pool, table, NOW_MS));
    expect(versions).toEqual([1, 2, 3, 4, 4, 5, 5]);
  });

  it('makes one version when several processes start at once', async () => {
    const pools = [database.pool, database.anotherPool(), database.anotherPool()];
    expect(await Promise.all(pools.map((pool) => ensurePriceBook(pool, TEST_SEED, NOW_MS)))).toEqual([1, 1, 1]);
  });

  it('stores nothing of a table with a wrong price', async () => {
    await expect(ensurePriceBook(database.pool, seedAt('cheap'), NOW_MS)).rejects.toThrow('"cheap" is not an amount');
    const { rowCount } = await database.pool.query('SELECT 1 FROM billing.price_book');
    expect(rowCount).toBe(0);
  });
});

describe('LocalPriceBook', () => {
  it('finds every model of the table that comes with the product, sorted', async () => {
    await ensurePriceBook(database.pool, readPriceSeed(), NOW_MS);
    await book.start();
    const names = book.models().map(({ model }) => model);
    expect(names.sort()).toEqual(Object.keys(readPriceSeed().models).sort());
    expect(book.find('claude-opus-4-6')).toMatchObject({ id: '1/claude-opus-4-6', platform: 'anthropic', maxOutputTokens: 128_000 });
    expect(book.find('gemini-3.5-flash')?.unitNanoUsd['web_search']).toBe(14_000_000n);
    expect(book.find('no-such-model')).toBeUndefined();
  });

  it('sees a new version by itself, and still rates with the old one', async () => {
    await ensurePriceBook(database.pool, TEST_SEED, NOW_MS);
    await book.start();
    expect(inputOf('test-model')).toBe(1_000_000_000n);
    await ensurePriceBook(database.pool, seedAt('3'), NOW_MS);
    await until(() => book.find('test-model')?.id === '2/test-model');
    expect(inputOf('test-model')).toBe(3_000_000_000n);
    expect((await book.byId('1/test-model'))?.tiers.default?.[0]?.nanoUsdPerMillion.input).toBe(1_000_000_000n);
  });

  it('finds a snapshot of a version that it never had in memory, and nothing for an id that never was', async () => {
    await ensurePriceBook(database.pool, TEST_SEED, NOW_MS);
    await ensurePriceBook(database.pool, seedAt('3'), NOW_MS);
    await book.start();
    const found = await book.snapshots(['1/test-model', '2/test-model', '3/test-model']);
    expect([...found.keys()].sort()).toEqual(['1/test-model', '2/test-model']);
    expect(found.get('1/test-model')?.tiers.default?.[0]?.nanoUsdPerMillion.input).toBe(1_000_000_000n);
  });

  it('keeps its prices, and says so, while the database cannot be asked', async () => {
    const log = new RecordedLog();
    book = new LocalPriceBook(database.pool, log, 20);
    await ensurePriceBook(database.pool, TEST_SEED, NOW_MS);
    await book.start();
    await database.pool.query('ALTER TABLE billing.price_book RENAME TO price_book_away');
    await until(() => log.lines.some(({ level }) => level === 'warn'));
    expect(inputOf('test-model')).toBe(1_000_000_000n);
    await database.pool.query('ALTER TABLE billing.price_book_away RENAME TO price_book');
  });
});
