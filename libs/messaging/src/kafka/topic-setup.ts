import { setTimeout as pause } from 'node:timers/promises';
import { TOPICS, type TopicName, type TopicRow } from '@tokone/events';
import type { Admin, ITopicConfig } from 'kafkajs';
import { KafkaAdmin } from './kafka-admin.js';
import type { KafkaConnection } from './kafka-connection.js';

export interface TopicSetupOptions {
  /** Default: 3, or as many as there are brokers. */
  replicationFactor?: number;
  deadlineMs?: number;
}

const USUAL_REPLICAS = 3;
const DEADLINE_MS = 60_000;
const POLL_MS = 100;

/** Kafka is not as TokOne needs it, and a person has to decide. */
export class TopicError extends Error {
  override readonly name = 'TopicError';
}

/**
 * Makes the topics of the table that are missing, and waits until all have leaders. With three replicas a record is
 * acknowledged when two have it, and no replica that lacks one may lead: so the loss of a broker loses nothing. Rejects
 * with a TopicError when a topic that exists has another number of partitions: its accounts would change places.
 */
export async function ensureTopics(connection: KafkaConnection, options: TopicSetupOptions = {}): Promise<void> {
  const rows = Object.entries(TOPICS).map(([name, row]) => ({ topic: connection.topic(name as TopicName), row }));
  const admin = new KafkaAdmin(connection);
  const deadline = AbortSignal.timeout(options.deadlineMs ?? DEADLINE_MS);
  try {
    for (;;) {
      const waiting = await admin.use((client) => setUp(client, rows, options.replicationFactor)).catch(whyNot);
      if (waiting.length === 0) return;
      if (deadline.aborted) throw new TopicError(`Kafka does not have the topics ready: ${waiting.join(', ')}.`);
      await pause(POLL_MS);
    }
  } finally {
    await admin.close();
  }
}

interface NamedRow {
  topic: string;
  row: TopicRow;
}

/** One step. Returns what is not ready yet. */
async function setUp(admin: Admin, rows: readonly NamedRow[], replicationFactor: number | undefined): Promise<string[]> {
  const existing = new Set(await admin.listTopics());
  const wanted = rows.filter(({ topic }) => !existing.has(topic));
  if (wanted.length > 0) {
    const replicas = replicationFactor ?? Math.min(USUAL_REPLICAS, (await admin.describeCluster()).brokers.length);
    // To wait for leaders is what kafkajs can do too, and then throws at a topic that a broker does not know yet.
    await admin.createTopics({ waitForLeaders: false, topics: wanted.map((named) => topicConfig(named, replicas)) });
  }
  const present = rows.filter(({ topic }) => existing.has(topic));
  const { topics } = await admin.fetchTopicMetadata({ topics: present.map(({ topic }) => topic) });
  const waiting = wanted.map(({ topic }) => topic);
  for (const { topic, row } of present) {
    const partitions = topics.find(({ name }) => name === topic)?.partitions ?? [];
    if (partitions.length === 0 || partitions.some(({ leader }) => leader < 0)) waiting.push(topic);
    else if (partitions.length !== row.partitions) {
      throw new TopicError(
        `The Kafka topic ${topic} has ${partitions.length} partitions instead of ${row.partitions}. Choose another TOKONE_KAFKA_TOPIC_PREFIX, or delete the topic, and its rows of billing.log_cursor or account.log_cursor, when nothing in it is needed any more.`,
      );
    }
  }
  // A broker that leads a new partition may not know it yet; whoever asks it for offsets then gets an error.
  for (const { topic } of waiting.length === 0 ? present : []) await admin.fetchTopicOffsets(topic);
  return waiting;
}

function topicConfig({ topic, row }: NamedRow, replicationFactor: number): ITopicConfig {
  const settings = {
    'retention.ms': row.retentionMs,
    'cleanup.policy': 'delete',
    'min.insync.replicas': replicationFactor >= USUAL_REPLICAS ? 2 : 1,
    'unclean.leader.election.enable': false,
  };
  const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value: `${value}` }));
  return { topic, numPartitions: row.partitions, replicationFactor, configEntries };
}

/** Two services that start together make the same topics; a broker may know a topic later than another. Both pass. */
function whyNot(error: unknown): string[] {
  if (error instanceof TopicError) throw error;
  return [error instanceof Error ? error.message : String(error)];
}
