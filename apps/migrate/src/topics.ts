import type { Settings } from '@tokone/http';
import { KafkaConnection, TopicError, ensureTopics } from '@tokone/messaging';
import { StartupError } from '@tokone/persistence';
import type { Logger } from '@tokone/telemetry';
import type { SETTINGS } from './settings.js';

/** Makes the topics that are missing. @throws StartupError when Kafka is away, or has them otherwise. */
export async function prepareTopics(settings: Settings<typeof SETTINGS>, { logger, now }: { logger: Logger; now: () => number }): Promise<void> {
  const connection = new KafkaConnection({ brokers: settings.KAFKA_BROKERS, clientId: 'tokone-migrate', topicPrefix: settings.TOKONE_KAFKA_TOPIC_PREFIX, logger, now });
  const replicationFactor = settings.TOKONE_KAFKA_REPLICATION;
  try {
    await ensureTopics(connection, replicationFactor === 0 ? {} : { replicationFactor });
  } catch (error) {
    throw error instanceof TopicError ? new StartupError(`${error.message} See KAFKA_BROKERS, and the log of Kafka.`, { cause: error }) : error;
  }
}
