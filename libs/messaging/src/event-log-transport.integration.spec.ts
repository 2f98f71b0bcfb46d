import { Controller, Module, UseFilters } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, Payload } from '@nestjs/microservices';
import { describe, expect, it } from '@jest/globals';
import { partitionOf } from '@tokone/events';
import { testServers } from '@tokone/testing';
import { BatchErrorFilter } from './batch-error.filter.js';
import { EventLogTransport } from './event-log-transport.js';
import type { LogBatch } from './event-log.js';
import { ACCOUNT, usageText } from './fixtures/usage-text.js';
import { CarefulProducer } from './kafka/careful-producer.js';
import { deployTo, watchTroubles } from './kafka/fixtures/test-kafka.js';
import { KafkaEventLog } from './kafka/kafka-event-log.js';

const DEADLINE_MS = 20_000;
const handled: LogBatch[] = [];
let failures = 2;

@Controller()
@UseFilters(BatchErrorFilter)
class BatchController {
  @EventPattern('usage.recorded')
  async handle(@Payload() batch: LogBatch): Promise<void> {
    if (failures-- > 0) throw new Error('no database');
    handled.push(batch);
  }
}

@Module({ controllers: [BatchController] })
class BatchModule {}

describe('EventLogTransport over Kafka', () => {
  it('hands whole batches to a Nest controller, each again until it succeeds, from the stored cursor on', async () => {
    const { connection, remove } = await deployTo(await testServers().kafka());
    const producer = new CarefulProducer(connection);
    const topic = connection.topic('usage.recorded');
    const numbers = Array.from({ length: 20 }, (_, number) => number);
    await producer.send(topic, numbers.map((number) => ({ partition: partitionOf(ACCOUNT), key: ACCOUNT, value: usageText(number), headers: {} })));
    const watch = watchTroubles();
    const home = `:${topic}/${partitionOf(ACCOUNT)}`;
    const transport = new EventLogTransport({
      eventLog: new KafkaEventLog({ connection, ...watch }),
      pattern: 'usage.recorded',
      batchSize: 8,
      lingerMs: 5,
      cursor: async (partition) => (partition.endsWith(home) ? 5n : undefined),
    });
    const app = await NestFactory.createMicroservice(BatchModule, { strategy: transport, logger: false });
    await app.listen();
    await transport.running.caughtUp(DEADLINE_MS);
    await app.close();
    await producer.close();
    await remove();
    expect(handled.flatMap(({ records }) => records.map(({ event }) => event!.startedAtMs))).toEqual(numbers.slice(5));
    expect(handled.at(-1)).toMatchObject({ partition: expect.stringMatching(new RegExp(`${home}$`)), nextOffset: 20n });
    expect(watch.troubles.filter(({ doing }) => doing === 'handle').map(({ cause }) => String(cause))).toEqual(['Error: no database', 'Error: no database']);
  });
});
