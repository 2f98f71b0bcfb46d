import { beforeAll } from '@jest/globals';
import { partitionOf } from '@tokone/events';
import { testServers } from '@tokone/testing';
import { eventLogContract } from '../event-log.contract.js';
import { CarefulProducer } from './careful-producer.js';
import { deployTo, watchTroubles } from './fixtures/test-kafka.js';
import { KafkaEventLog } from './kafka-event-log.js';

let brokers: string[];
beforeAll(async () => {
  brokers = await testServers().kafka();
});

eventLogContract('Kafka', async () => {
  const { connection, remove } = await deployTo(brokers);
  const producer = new CarefulProducer(connection);
  const open = (): KafkaEventLog => new KafkaEventLog({ connection, ...watchTroubles() });
  const driver = {
    log: open(),
    write: (value: string, accountId: string) =>
      producer.send(connection.topic('usage.recorded'), [{ partition: partitionOf(accountId), key: accountId, value, headers: {} }]),
    async restart() {
      driver.log = open();
    },
    async close() {
      await producer.close();
      await remove();
    },
  };
  return driver;
});
