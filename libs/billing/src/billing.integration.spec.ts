import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import type { INestApplicationContext } from '@nestjs/common';
import type { RatedCharge, UsageRecorded } from '@tokone/events';
import type { Consumption } from '@tokone/messaging';
import { BillingModule } from './billing.module.js';
import { Billing } from './billing.js';
import { ChargeStatements } from './charge-statement.js';
import { startBillingDatabase } from './fixtures/billing-database.js';
import type { BillingDatabase } from './fixtures/billing-database.js';
import { MemoryEventLog, NOW_MS, RecordedLog, ids, refusedEvent, usageEvent } from './fixtures/usage-events.js';
import { OutboxChargeLog } from './outbox-charge-log.js';
import { LocalPriceBook } from './price-book.js';

let database: BillingDatabase;
let application: INestApplicationContext;
let posting: Consumption;
const eventLog = new MemoryEventLog();
const log = new RecordedLog();
const posted: RatedCharge[] = [];

beforeAll(async () => {
  database = await startBillingDatabase();
  const module = BillingModule.with({ databaseUrl: database.url, eventLog, log, now: () => NOW_MS });
  application = await NestFactory.createApplicationContext(module, { logger: false });
  posting = await application.get(OutboxChargeLog).consume(async (charges) => void posted.push(...charges));
});
afterAll(async () => {
  await posting.stop();
  await application.close();
  await database.close();
});

async function settle(events: readonly UsageRecorded[]): Promise<void> {
  for (const event of events) eventLog.append(event);
  await (await application.get(Billing).startRating(eventLog)).caughtUp(10_000);
  await posting.caughtUp(10_000);
}

/** USD per million tokens, copied by hand from the published tables; in, cached, written 5m, written 1h, out. */
const LITERAL_PRICES = [
  { model: 'gpt-5.5', tier: null, above: false, usd: ['5', '0.5', '5', '5', '30'] },
  { model: 'gpt-5.5', tier: null, above: true, usd: ['10', '1', '10', '10', '45'] },
  { model: 'gpt-5.5', tier: 'priority', above: false, usd: ['12.5', '1.25', '12.5', '12.5', '75'] },
  { model: 'gpt-5.5', tier: 'flex', above: true, usd: ['5', '0.5', '5', '5', '22.5'] },
  { model: 'claude-opus-4-6', tier: 'standard', above: false, usd: ['5', '0.5', '6.25', '10', '25'] },
  { model: 'gemini-3.5-flash', tier: null, above: false, usd: ['1.5', '0.15', '1.5', '1.5', '9'] },
] as const;

/** Half away from zero is half up here; SQL numeric, so that neither libs/pricing nor a float has a say. */
const RECOMPUTE = `
  SELECT u.rated_nano_usd, u.charge_nano_usd, u.list_nano_usd,
    round((u.input_tokens * $2::numeric + u.cache_read_tokens * $3::numeric + u.cache_write_5m_tokens * $4::numeric
      + u.cache_write_1h_tokens * $5::numeric + (u.output_tokens + u.reasoning_tokens) * $6::numeric) * 1000
      * u.multiplier_ppm / 1000000)::bigint AS expected,
    round((u.input_tokens * $2::numeric + u.cache_read_tokens * $3::numeric + u.cache_write_5m_tokens * $4::numeric
      + u.cache_write_1h_tokens * $5::numeric + (u.output_tokens + u.reasoning_tokens) * $6::numeric) * 1000)::bigint AS list
  FROM billing.usage u WHERE u.id = $1`;

describe('billing as a whole', () => {
  it.each(LITERAL_PRICES)('charges $model ($tier, long: $above) what SQL computes from the literal prices', async ({ model, tier, above, usd }) => {
    const price = application.get(LocalPriceBook).find(model);
    const events = Array.from({ length: 40 }, (_, index) => {
      const input = (above ? 272_001 : 1) + index * 977;
      const tokens = { input, cacheRead: index * 131, cacheWrite5m: index * 17, cacheWrite1h: index * 13, output: index * 101, reasoning: index * 7 };
      const plenty = { holdNanoUsd: 10n ** 15n, grantNanoUsd: index % 10 === 9 ? 12_345n : 10n ** 15n };
      return usageEvent({ model, priceId: price?.id ?? null, serviceTier: tier, tokens, multiplierPpm: 1_000_000 + index * 12_347, ...plenty });
    });
    await settle(events);
    for (const { id, grantNanoUsd } of events) {
      const { rows } = await database.pool.query<Record<string, bigint>>(RECOMPUTE, [id, ...usd]);
      const { rated_nano_usd, charge_nano_usd, list_nano_usd, expected = -1n, list } = rows[0] ?? {};
      expect([rated_nano_usd, list_nano_usd]).toEqual([expected, list]);
      expect(charge_nano_usd).toBe(expected < grantNanoUsd ? expected : grantNanoUsd);
      expect(posted.filter((charge) => charge.id === id)).toMatchObject([{ ratedNanoUsd: expected, chargeNanoUsd: charge_nano_usd }]);
    }
  });

  it('rounds half a nano-USD up, once', async () => {
    // 1 token at USD 0.5 per million is 500 nano-USD; times 0.001 is exactly a half.
    const priceId = application.get(LocalPriceBook).find('gpt-5.5')?.id ?? null;
    const event = usageEvent({ model: 'gpt-5.5', priceId, tokens: { cacheRead: 1 }, multiplierPpm: 1_000, holdNanoUsd: 1n, grantNanoUsd: 1n });
    await settle([event]);
    expect(posted.filter(({ id }) => id === event.id)).toMatchObject([{ ratedNanoUsd: 1n }]);
  });

  it('explains a charge to the last nano-USD', async () => {
    const priceId = application.get(LocalPriceBook).find('gpt-5.5')?.id ?? null;
    const tokens = { input: 1_001, cacheRead: 77, output: 333 };
    const money = { multiplierPpm: 1_234_567, holdNanoUsd: 9_000_000n, grantNanoUsd: 9_000_000n };
    const event = usageEvent({ model: 'gpt-5.5', priceId, tokens, units: { web_search: 1 }, estimated: true, outcome: 'client_left', ...money });
    await settle([event]);
    const statement = await application.get(ChargeStatements).explainCharge(event.id);
    if (statement?.state !== 'rated') throw new Error('not rated');
    expect(statement).toMatchObject({
      requestId: event.id, model: 'gpt-5.5', priceId, billedTier: 'default', estimated: true, outcome: 'client_left', recomputed: true,
      listNanoUsd: 25_033_500n, ratedNanoUsd: 30_905_533n, chargeNanoUsd: 9_000_000n, writeOffNanoUsd: 21_905_533n, grantNanoUsd: 9_000_000n,
      units: { web_search: 1 }, startedAtMs: event.startedAtMs, endedAtMs: event.endedAtMs,
    });
    expect(statement.lines.map(({ item, quantity, priceNanoUsd }) => [item, quantity, priceNanoUsd])).toEqual([
      ['input', 1_001, 5_000_000_000n],
      ['cacheRead', 77, 500_000_000n],
      ['output', 333, 30_000_000_000n],
      ['web_search', 1, 10_000_000n],
    ]);
    expect(statement.lines.reduce((sum, { amountNanoUsd }) => sum + amountNanoUsd, 0n)).toBe(statement.ratedNanoUsd);
  });

  it('explains a refusal, a parked request, and says nothing of one that it has not seen', async () => {
    const [refused, parked] = [refusedEvent(), usageEvent({ priceId: 'no/such' })];
    await settle([refused, parked]);
    const statements = application.get(ChargeStatements);
    expect(await statements.explainCharge(refused.id)).toMatchObject({ state: 'rated', chargeNanoUsd: 0n, lines: [], recomputed: true, errorCode: 'balance_empty' });
    expect(await statements.explainCharge(parked.id)).toMatchObject({ state: 'parked', reason: 'no_price', detail: 'there is no price no/such', remedy: expect.stringContaining('price file') });
    expect(await statements.explainCharge(ids.next())).toBeUndefined();
  });

  it('goes on where it stopped when the process starts again', async () => {
    const before = posted.length;
    const again = BillingModule.with({ databaseUrl: database.url, eventLog, log, now: () => NOW_MS });
    const second = await NestFactory.createApplicationContext(again, { logger: false });
    const event = usageEvent({ priceId: '1/gpt-5.5', model: 'gpt-5.5' });
    await settle([event]);
    await (await second.get(Billing).startRating(eventLog)).caughtUp(10_000);
    await second.close();
    await posting.caughtUp(10_000);
    expect(posted.slice(before).map(({ id }) => id)).toEqual([event.id]);
  });
});
