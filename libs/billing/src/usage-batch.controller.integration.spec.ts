import 'reflect-metadata';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import type { INestMicroservice } from '@nestjs/common';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { EventLogTransport } from '@tokone/messaging';
import type { Consumption, EventLog, LogConsumer } from '@tokone/messaging';
import { startBillingDatabase } from './fixtures/billing-database.js';
import type { BillingDatabase } from './fixtures/billing-database.js';
import { NOW_MS, RecordedLog, TEST_SEED, batchOf, usageEvent } from './fixtures/usage-events.js';
import { OutboxSignal } from './outbox-signal.js';
import { LocalPriceBook } from './price-book.js';
import { ensurePriceBook } from './seed-price-book.js';
import { USAGE_PATTERN } from './usage-batch.controller.js';
import { UsageBatchModule } from './usage-batch.module.js';
import { UsageConsumer } from './usage-consumer.js';

/** A log whose batches the test hands over itself. */
class HandedLog implements EventLog {
  consumer: LogConsumer | undefined;
  stopped = false;

  async consume(consumer: LogConsumer): Promise<Consumption> {
    this.consumer = consumer;
    return { caughtUp: async () => undefined, stop: async () => void (this.stopped = true) };
  }
}

let database: BillingDatabase;
let service: INestMicroservice;
let eventLog: HandedLog;
let usageConsumer: UsageConsumer;
const log = new RecordedLog();

beforeAll(async () => {
  database = await startBillingDatabase();
  const { pool } = database;
  usageConsumer = new UsageConsumer({ pool, prices: new LocalPriceBook(pool, log), outbox: new OutboxSignal(), log, now: () => NOW_MS });
  eventLog = new HandedLog();
  const { batchSize, lingerMs } = usageConsumer;
  const strategy = new EventLogTransport({ eventLog, pattern: USAGE_PATTERN, batchSize, lingerMs, cursor: (partition) => usageConsumer.cursor(partition) });
  service = await NestFactory.createMicroservice<MicroserviceOptions>(UsageBatchModule.with({ usageConsumer }), { strategy, logger: false });
  await service.listen();
});
afterAll(async () => {
  await service.close();
  await database.close();
});
beforeEach(async () => {
  await database.clear();
  await ensurePriceBook(database.pool, TEST_SEED, NOW_MS);
});

const handle = (batch: ReturnType<typeof batchOf>) => eventLog.consumer?.handle(batch);

describe('batches through a transport', () => {
  it('are rated whole, with their cursor', async () => {
    await handle(batchOf([usageEvent(), usageEvent()], { partition: 'usage.recorded/3', first: 7n }));
    expect(await eventLog.consumer?.cursor('usage.recorded/3')).toBe(9n);
    expect((await database.pool.query('SELECT 1 FROM billing.usage')).rowCount).toBe(2);
  });

  it('that fail reach the log as the failure that it was, and are taken when they come again', async () => {
    const batch = batchOf([usageEvent()]);
    await database.pool.query('ALTER TABLE billing.outbox RENAME TO outbox_away');
    await expect(handle(batch)).rejects.toMatchObject({ code: '42P01', message: expect.stringContaining('outbox') });
    await database.pool.query('ALTER TABLE billing.outbox_away RENAME TO outbox');
    await handle(batch);
    expect((await database.pool.query('SELECT 1 FROM billing.usage')).rowCount).toBe(1);
  });
});
