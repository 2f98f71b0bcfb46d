import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { HttpChargeStatements, HttpOutbox, HttpPriceBook, HttpUsageQuery } from '@tokone/billing-client';
import type { PriceBook } from '@tokone/billing-client';
import { priceBookContract, usageQueryContract } from '@tokone/billing-client/contract';
import type { PriceBookDriver, StatedPrice, UsageFact, UsageQueryDriver } from '@tokone/billing-client/contract';
import { openPool } from '@tokone/persistence';
import { writeUsd } from '@tokone/pricing';
import { Billing } from '../billing.js';
import { startBillingDatabase, until } from '../fixtures/billing-database.js';
import type { BillingDatabase } from '../fixtures/billing-database.js';
import { openInternalListener } from '../fixtures/internal-listener.js';
import type { InternalListener } from '../fixtures/internal-listener.js';
import { NOW_MS, RecordedLog, TEST_SEED, batchOf, ids, usageEvent } from '../fixtures/usage-events.js';
import { writeChargeStatement } from '../charge-document.js';
import { LocalPriceBook } from '../price-book.js';
import type { ModelPrices } from '../price-row.js';
import { ensurePriceBook } from '../seed-price-book.js';

let database: BillingDatabase;

beforeAll(async () => {
  database = await startBillingDatabase();
});
afterAll(async () => {
  await database.close();
});

/** Billing on the shared database, its price book not started. */
function openedBilling(log = new RecordedLog()): Billing {
  const pools = [1, 2].map(() => openPool({ url: database.url, poolSize: 2, statementTimeoutMs: 10_000 })) as [never, never];
  return new Billing({ databaseUrl: database.url, log, now: () => NOW_MS }, ...pools);
}

async function state(prices: readonly StatedPrice[]): Promise<void> {
  const models = Object.fromEntries(prices.map((price) => [price.model, pricesOf(price)]));
  await ensurePriceBook(database.pool, { ...TEST_SEED, origin: 'operator', models }, NOW_MS);
}

function pricesOf({ inputNanoUsd, outputNanoUsd, longAbove, units }: StatedPrice): ModelPrices {
  const band = (aboveInputTokens: number, factor: bigint) => ({ aboveInputTokens, usdPerMillion: { input: writeUsd(inputNanoUsd * factor), output: writeUsd(outputNanoUsd * factor) } });
  const unitUsd = Object.fromEntries(Object.entries(units).map(([unit, amount]) => [unit, writeUsd(amount)]));
  return { platform: 'openai', maxInputTokens: 100_000, maxOutputTokens: 10_000, tiers: { default: [band(0, 1n), band(longAbove, 2n)] }, unitUsd };
}

/** A driver whose source is cut off by taking the table away. */
async function tableDriver(book: PriceBook, log: RecordedLog, close: () => Promise<void>): Promise<PriceBookDriver> {
  const rename = (from: string, to: string) => database.pool.query(`ALTER TABLE billing.${from} RENAME TO ${to}`);
  return {
    book,
    state,
    sever: async () => {
      await rename('price_book', 'price_book_away');
      await until(() => log.lines.some(({ level }) => level === 'warn'));
    },
    restore: async () => void (await rename('price_book_away', 'price_book')),
    close,
  };
}

priceBookContract("billing's tables", async (prices) => {
  await database.clear();
  await state(prices);
  const log = new RecordedLog();
  const book = new LocalPriceBook(database.pool, log, 50);
  await book.start();
  return tableDriver(book, log, () => book.stop());
});

priceBookContract('HTTP', async (prices) => {
  await database.clear();
  await state(prices);
  const billing = openedBilling();
  await billing.priceBook.start();
  const [log, listener] = [new RecordedLog(), await openInternalListener(billing)];
  const book = new HttpPriceBook({ client: listener.client, log });
  await book.start();
  return {
    book,
    state,
    sever: async () => {
      await listener.goAway();
      await until(() => log.lines.some(({ level }) => level === 'warn'));
    },
    restore: () => listener.comeBack(),
    close: async () => {
      await book.stop();
      await listener.close();
      await billing.stop();
    },
  };
});

async function record(billing: Billing, facts: readonly UsageFact[]): Promise<void> {
  const events = facts.map(({ keyId, model, endedAtMs, durationMs, inputTokens, outputTokens }) => {
    const money = { multiplierPpm: 1_500_000, holdNanoUsd: 10n ** 12n, grantNanoUsd: 10n ** 12n };
    return usageEvent({ keyId, model, priceId: `1/${model}`, endedAtMs, startedAtMs: endedAtMs - durationMs, tokens: { input: inputTokens, output: outputTokens }, ...money });
  });
  await billing.usageConsumer.handle(batchOf(events));
}

async function usageDriver(queryOf: (billing: Billing, listener: InternalListener) => UsageQueryDriver['query']): Promise<UsageQueryDriver> {
  await database.clear();
  const price = TEST_SEED.models['test-model'] as never;
  await ensurePriceBook(database.pool, { ...TEST_SEED, models: { one: price, another: price } }, NOW_MS);
  const billing = openedBilling();
  const listener = await openInternalListener(billing);
  const close = async (): Promise<void> => {
    await listener.close();
    await billing.stop();
  };
  return { query: queryOf(billing, listener), nowMs: NOW_MS, record: (facts) => record(billing, facts), close };
}

usageQueryContract("billing's tables", () => usageDriver(({ usageQuery }) => usageQuery));
usageQueryContract('HTTP', () => usageDriver((_billing, { client }) => new HttpUsageQuery(client)));

describe('what billing answers to the other services', () => {
  let billing: Billing;
  let listener: InternalListener;
  beforeAll(async () => {
    await database.clear();
    await ensurePriceBook(database.pool, TEST_SEED, NOW_MS);
    billing = openedBilling();
    listener = await openInternalListener(billing);
  });
  afterAll(async () => {
    await listener.close();
    await billing.stop();
  });

  it('is nothing without the secret', async () => {
    for (const path of ['prices', 'prices/by-id?id=1', 'charges/a']) expect((await fetch(`${listener.url}/internal/billing/${path}`)).status).toBe(401);
    for (const path of ['usage', 'outbox/published', `charges/${ids.next()}/waive`]) expect((await fetch(`${listener.url}/internal/billing/${path}`, { method: 'POST' })).status).toBe(401);
  });

  it('explains a charge in the words of the management API, and nothing for a request that it does not know', async () => {
    const event = usageEvent();
    await billing.usageConsumer.handle(batchOf([event]));
    const statement = await billing.chargeStatements.explainCharge(event.id);
    const statements = new HttpChargeStatements(listener.client);
    expect(await statements.explain(event.id)).toEqual(JSON.parse(JSON.stringify(statement && writeChargeStatement(statement))));
    expect(await statements.explain(ids.next())).toBeUndefined();
    await expect(statements.explain('not an id')).rejects.toMatchObject({ failure: 'refused', status: 400 });
  });

  it('is what became of a waiver', async () => {
    const [parked, rated] = [usageEvent({ priceId: null }), usageEvent()];
    await billing.usageConsumer.handle(batchOf([parked, rated], { first: 50n }));
    const statements = new HttpChargeStatements(listener.client);
    const reason = { by: 'operator', why: 'nobody knows its price' };
    const outcomes = [];
    for (const id of [parked.id, parked.id, rated.id, ids.next()]) outcomes.push(await statements.waive(id, reason));
    expect(outcomes).toEqual(['waived', 'waived_before', 'rated', 'unknown']);
    await expect(statements.waive(parked.id, { ...reason, why: '' })).rejects.toMatchObject({ failure: 'refused', status: 400 });
  });

  it('is whether the outbox is published: not while a row is left, within the deadline of the caller', async () => {
    const outbox = new HttpOutbox(listener.client);
    await billing.usageConsumer.handle(batchOf([usageEvent()], { first: 1n }));
    expect(await outbox.publishedSoFar(300)).toBe(false);
    const later = outbox.publishedSoFar(10_000);
    const posting = await billing.chargeLog.consume(async () => undefined);
    expect(await later).toBe(true);
    await posting.stop();
    expect(await outbox.publishedSoFar(300)).toBe(true);
  });

  it.each([
    ['a version that is not one', 'GET', 'prices?version=x', undefined],
    ['no price id', 'GET', 'prices/by-id', undefined],
    ['a usage question without a key', 'POST', 'usage', { range: {} }],
  ] as const)('refuses %s with 400', async (_what, method, path, body) => {
    const asked = listener.client.call({ method, path: `/internal/billing/${path}`, ...(body && { body }), deadlineMs: 2_000, read: (json) => json });
    await expect(asked).rejects.toMatchObject({ failure: 'refused', status: 400 });
  });
});
