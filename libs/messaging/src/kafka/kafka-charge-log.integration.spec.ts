import { beforeAll, describe, expect, it } from '@jest/globals';
import { Uuid7Source } from '@tokone/protocol';
import { testServers, waitFor } from '@tokone/testing';
import { chargeLogContract } from '../charge-log.contract.js';
import type { ConsumptionTrouble } from '../consumption-trouble.js';
import { CarefulProducer } from './careful-producer.js';
import { KafkaChargePublisher } from './event-publishers.js';
import { deployTo, watchTroubles } from './fixtures/test-kafka.js';
import { KafkaChargeLog } from './kafka-charge-log.js';
import type { ChargeCursors } from './kafka-charge-log.js';
import type { KafkaConnection } from './kafka-connection.js';

let brokers: string[];
beforeAll(async () => {
  brokers = await testServers().kafka();
});

/** Kept by whoever posts. */
function memoryCursors(): ChargeCursors {
  const stored = new Map<string, bigint>();
  return { read: async (partition) => stored.get(partition), save: async (partition, nextOffset) => void stored.set(partition, nextOffset) };
}

function publisherOf(connection: KafkaConnection): KafkaChargePublisher {
  return new KafkaChargePublisher({ connection, producer: new CarefulProducer(connection), ids: new Uuid7Source(() => 1_767_225_600_000), now: () => 1_767_225_600_000 });
}

chargeLogContract('Kafka', async () => {
  const { connection, remove } = await deployTo(brokers);
  const publisher = publisherOf(connection);
  const cursors = memoryCursors();
  const open = (): KafkaChargeLog => new KafkaChargeLog({ connection, cursors, ...watchTroubles() });
  return { log: open(), another: open, publish: (charges) => publisher.publish([charges]), close: () => publisher.close().then(remove) };
});

describe('the cursor of charges', () => {
  it('that a restored database has brings back what was posted after the backup, whatever the group has committed', async () => {
    const { connection, remove } = await deployTo(brokers);
    const publisher = publisherOf(connection);
    const stored = new Map<string, bigint>();
    const cursors: ChargeCursors = { read: async (partition) => stored.get(partition), save: async (partition, nextOffset) => void stored.set(partition, nextOffset) };
    const posted: bigint[] = [];
    const post = async (amountNanoUsd: bigint): Promise<Map<string, bigint>> => {
      const accountId = '019ab1c2-0000-7000-8000-000000000001';
      const consumption = await new KafkaChargeLog({ connection, cursors, ...watchTroubles() }).consume(async (charges) => {
        posted.push(...charges.map(({ chargeNanoUsd }) => chargeNanoUsd));
      });
      try {
        await publisher.publish([[{ id: accountId, accountId, ratedNanoUsd: amountNanoUsd, chargeNanoUsd: amountNanoUsd }]]);
        await consumption.caughtUp(20_000);
        return new Map(stored);
      } finally {
        await consumption.stop();
      }
    };
    try {
      const backup = await post(1n);
      await post(2n);
      stored.clear();
      for (const [partition, nextOffset] of backup) stored.set(partition, nextOffset);
      await post(3n);
      expect(posted).toEqual([1n, 2n, 2n, 3n]);
    } finally {
      await publisher.close();
      await remove();
    }
  });
});

describe('a message of charge.rated that cannot be read', () => {
  it('stops its partition and says where it stands, while others go on', async () => {
    const { connection, remove } = await deployTo(brokers);
    const producer = new CarefulProducer(connection);
    const publisher = publisherOf(connection);
    const watch = watchTroubles();
    const handling = (): ConsumptionTrouble[] => watch.troubles.filter(({ doing }) => doing === 'handle');
    const posted: string[] = [];
    const consumption = await new KafkaChargeLog({ connection, cursors: memoryCursors(), ...watch }).consume(async (charges) => {
      posted.push(...charges.map(({ accountId }) => accountId));
    });
    try {
      const [stuck, free] = ['019ab1c2-0000-7000-8000-000000000001', '019ab1c2-0000-7000-8000-000000000002'];
      const topic = connection.topic('charge.rated');
      await producer.send(topic, [{ partition: 0, key: null, value: '{"schema":3}', headers: {} }]);
      await publisher.publish([[stuck, free].map((accountId) => ({ id: accountId, accountId, ratedNanoUsd: 1n, chargeNanoUsd: 1n }))]);
      await waitFor(() => handling().length > 0 && posted.length > 0, { what: 'the trouble and the other partition', deadlineMs: 20_000 });
      expect(String(handling()[0]!.cause)).toMatch(new RegExp(`the message at 0 of \\S+:${topic}/0 cannot be read`));
      expect(posted).toEqual([free]);
    } finally {
      await consumption.stop();
      await Promise.all([producer.close(), publisher.close()]);
      await remove();
    }
  });
});
