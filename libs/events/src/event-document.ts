import { z } from 'zod';
import { TOPICS } from './topics.js';
import type { TopicRow } from './topics.js';

const INTRODUCTION = `# Events

Generated from \`libs/events/src/topics.ts\`; a test compares the two.

Services tell each other of what happened through Kafka. Every message is JSON and carries an id, the version of its
schema, a time and, where it is known, the trace context (W3C). Id, schema and trace context stand in the headers, too,
except those of \`usage.recorded\`, which has none. Readers accept the version of a schema that is written and the one before it, so that services can be brought to a new
version one after the other, readers first. Money is a decimal string of nano-USD. Delivery is at least once
everywhere: whoever acts on an event does so once for each id.

\`TOKONE_KAFKA_TOPIC_PREFIX\` stands in front of every topic and every consumer group. The partition of an account is
FNV-1a (32 bits) of its id in lower case, modulo 12, in every topic whose key is an account.
`;

interface FieldSchema {
  type?: string;
  const?: unknown;
  format?: string;
  enum?: unknown[];
  anyOf?: FieldSchema[];
  items?: FieldSchema;
}

/** The topics as Markdown: the whole text of `docs/events.md`. */
export function documentEvents(): string {
  return [INTRODUCTION, ...Object.entries(TOPICS).map(([name, row]) => describeTopic(name, row))].join('\n');
}

function describeTopic(name: string, row: TopicRow): string {
  const { properties = {}, required = [] } = z.toJSONSchema(row.schema, { io: 'input' }) as {
    properties?: Record<string, FieldSchema>;
    required?: string[];
  };
  const fields = Object.entries(properties).map(([field, schema]) => `| \`${field}\` | ${typeOf(schema)} | ${required.includes(field) ? 'yes' : 'no'} |`);
  const facts = [
    ['partitions', row.partitions],
    ['retention', `${row.retentionMs / 86_400_000} days`],
    ['key', row.key],
    ['headers', row.headers.map((header) => `\`${header}\``).join(', ') || 'none'],
    ['written by', row.producer],
    ['read by', row.consumers],
    ['schema', row.schemaVersion],
  ].map(([fact, value]) => `| ${fact} | ${value} |`);
  return [`## \`${name}\``, '', row.about, '', '| | |', '|---|---|', ...facts, '', '| field | type | always there |', '|---|---|---|', ...fields, ''].join('\n');
}

function typeOf(schema: FieldSchema): string {
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(' or ');
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.enum) return schema.enum.map((value) => `\`${JSON.stringify(value)}\``).join(' or ');
  if (schema.type === 'array') return `list of ${typeOf(schema.items ?? {})}`;
  return schema.format ? `${schema.type} (${schema.format})` : (schema.type ?? 'anything');
}
