import type { z } from 'zod';
import { accountChangedSchema } from './account-changed.js';
import { chargeRatedSchema } from './charge-rated.js';
import { PARTITIONS } from './partition.js';
import { usageDeadSchema } from './usage-dead.js';
import { usageRecordedSchema } from './usage-recorded.js';

export interface TopicRow {
  partitions: number;
  retentionMs: number;
  /** What the messages' key is, and by it their partition. */
  key: string;
  /** Version and shape of what is written; readers accept the version before it, too. */
  schemaVersion: number;
  schema: z.ZodObject;
  headers: readonly string[];
  producer: string;
  consumers: string;
  about: string;
}

const DAY_MS = 86_400_000;
const HEADERS = ['id', 'schema', 'traceparent'] as const;
/** One message for each request: three headers would double the time that the client takes to encode it. */
const NO_HEADERS: readonly string[] = [];

/** Every topic that TokOne writes to Kafka. Each name, and that of each consumer group, stands behind the deployment's prefix. */
export const TOPICS = {
  'usage.recorded': {
    partitions: PARTITIONS,
    retentionMs: 14 * DAY_MS,
    key: 'account id',
    schemaVersion: 2,
    schema: usageRecordedSchema,
    headers: NO_HEADERS,
    producer: "gateway, from its spool, at least once, in the spool's order",
    consumers: 'billing (group `billing`)',
    about: 'What one request used; a refusal after authentication, too.',
  },
  'charge.rated': {
    partitions: PARTITIONS,
    retentionMs: 14 * DAY_MS,
    key: 'partition number',
    schemaVersion: 2,
    schema: chargeRatedSchema,
    headers: HEADERS,
    producer: 'billing, from its outbox, at least once, in any order',
    consumers: 'account (group `account`)',
    about: 'A batch of rated requests, all of accounts of one partition, to be posted once each. A charge names the trace of its request while that is recorded.',
  },
  'account.changed': {
    partitions: PARTITIONS,
    retentionMs: DAY_MS,
    key: 'account id, else group id, else event id',
    schemaVersion: 1,
    schema: accountChangedSchema,
    headers: HEADERS,
    producer: 'account, from its outbox, at least once, in any order',
    consumers: 'gateway and adapters (a group for each process, from the end on)',
    about: 'Something that others have in a cache is no longer as it was.',
  },
  'usage.dead': {
    partitions: 1,
    retentionMs: 30 * DAY_MS,
    key: 'partition of `usage.recorded`',
    schemaVersion: 1,
    schema: usageDeadSchema,
    headers: HEADERS,
    producer: 'billing, at least once, in any order',
    consumers: 'people and their tools',
    about: 'A record of `usage.recorded` that cannot be read or stored, with its bytes. Nothing was charged for it.',
  },
} as const satisfies Record<string, TopicRow>;

export type TopicName = keyof typeof TOPICS;
