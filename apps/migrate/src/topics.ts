import type { Settings } from '@tokone/http';
import { KafkaConnection, ensureTopics } from '@tokone/messaging';
import type { Logger } from '@tokone/telemetry';
import type { SETTINGS } from './settings.js';

/** Makes the topics that are missing. */
export async function prepareTopics(settings: Settings<typeof SETTINGS>, { logger, now }: { logger: Logger; now: () => number }): Promise<void> {
  const connection = new KafkaConnection({ brokers: settings.KAFKA_BROKERS, clientId: 'tokone-migrate', topicPrefix: settings.TOKONE_KAFKA_TOPIC_PREFIX, logger, now });
  const replicationFactor = settings.TOKONE_KAFKA_REPLICATION;
  await ensureTopics(connection, replicationFactor === 0 ? {} : { replicationFactor });
}
