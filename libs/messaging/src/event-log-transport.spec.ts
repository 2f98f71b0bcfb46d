import { Controller, Module, UseFilters } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, Payload } from '@nestjs/microservices';
import { describe, expect, it } from '@jest/globals';
import { BatchErrorFilter } from './batch-error.filter.js';
import { EventLogTransport } from './event-log-transport.js';
import type { Consumption, EventLog, LogBatch, LogConsumer } from './event-log.js';

const BATCH: LogBatch = { partition: 'p', records: [{ offset: 0n, event: undefined, raw: 'x' }], nextOffset: 1n };

/** Hands over one batch, as often as it is told, and remembers what became of it. */
class OneBatchLog implements EventLog {
  consumer: LogConsumer | undefined;
  stopped = false;

  async consume(consumer: LogConsumer): Promise<Consumption> {
    this.consumer = consumer;
    return {
      caughtUp: async () => undefined,
      stop: async () => {
        this.stopped = true;
      },
    };
  }
}

const seen: LogBatch[] = [];
let failures = 0;

async function handle(batch: LogBatch): Promise<void> {
  // Behind a turn of the loop, as a database would answer.
  await new Promise((resolve) => setImmediate(resolve));
  if (failures-- > 0) throw new Error('no database');
  seen.push(batch);
}

@Controller()
@UseFilters(BatchErrorFilter)
class BatchController {
  @EventPattern('usage.recorded')
  handle(@Payload() batch: LogBatch): Promise<void> {
    return handle(batch);
  }
}

@Module({ controllers: [BatchController] })
class BatchModule {}

@Controller()
class UnfilteredController {
  @EventPattern('usage.recorded')
  handle(@Payload() batch: LogBatch): Promise<void> {
    return handle(batch);
  }
}

@Module({ controllers: [UnfilteredController] })
class UnfilteredModule {}

@Module({})
class EmptyModule {}

function transportOf(eventLog: EventLog): EventLogTransport {
  return new EventLogTransport({ eventLog, pattern: 'usage.recorded', batchSize: 500, lingerMs: 20, cursor: async () => 7n });
}

describe('EventLogTransport', () => {
  it('hands a whole batch to the handler of its pattern, and waits until that has resolved', async () => {
    const log = new OneBatchLog();
    const app = await NestFactory.createMicroservice(BatchModule, { strategy: transportOf(log), logger: false });
    await app.listen();
    expect(log.consumer).toMatchObject({ batchSize: 500, lingerMs: 20 });
    expect(await log.consumer!.cursor('p')).toBe(7n);
    seen.length = 0;
    await log.consumer!.handle(BATCH);
    expect(seen).toEqual([BATCH]);
    expect(seen[0]).toBe(BATCH);
    await app.close();
  });

  it('lets an error of the handler reach the log, so that the batch comes again', async () => {
    const log = new OneBatchLog();
    const app = await NestFactory.createMicroservice(BatchModule, { strategy: transportOf(log), logger: false });
    await app.listen();
    failures = 2;
    await expect(log.consumer!.handle(BATCH)).rejects.toThrow('no database');
    await expect(log.consumer!.handle(BATCH)).rejects.toThrow('no database');
    await log.consumer!.handle(BATCH);
    await app.close();
  });

  it('rejects a failed batch even where the controller has no filter of its own', async () => {
    const log = new OneBatchLog();
    const app = await NestFactory.createMicroservice(UnfilteredModule, { strategy: transportOf(log), logger: false });
    await app.listen();
    failures = 1;
    await expect(log.consumer!.handle(BATCH)).rejects.toThrow('the handler of a batch failed');
    await app.close();
  });

  it('stops the consumption with the application, and shows it while it runs', async () => {
    const log = new OneBatchLog();
    const transport = transportOf(log);
    expect(() => transport.running).toThrow('not consumed yet');
    const app = await NestFactory.createMicroservice(BatchModule, { strategy: transport, logger: false });
    await app.listen();
    await transport.running.caughtUp(1);
    await app.close();
    expect(log.stopped).toBe(true);
  });

  it('refuses to start when nobody handles its batches', async () => {
    const app = await NestFactory.createMicroservice(EmptyModule, { strategy: transportOf(new OneBatchLog()), logger: false });
    await expect(app.listen()).rejects.toThrow('No controller has a handler for the event usage.recorded.');
    await app.close();
  });
});
