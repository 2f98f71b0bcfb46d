import { describe, expect, it } from '@jest/globals';
import { PARTITIONS } from './partition.js';
import { TOPICS } from './topics.js';
import type { TopicRow } from './topics.js';

const rows: [string, TopicRow][] = Object.entries(TOPICS);

describe('the table of topics', () => {
  it.each(rows)('gives %s an id, its schema version, a time and a trace context', (_name, { schema, schemaVersion }) => {
    const { shape } = schema;
    expect(shape['schema']!.safeParse(schemaVersion).success).toBe(true);
    expect(shape['schema']!.safeParse(schemaVersion + 1).success).toBe(false);
    expect(Object.keys(shape)).toEqual(expect.arrayContaining(['id', 'traceparent']));
    expect('at' in shape || 'endedAtMs' in shape).toBe(true);
  });

  it('has the topics that are spread by account in as many partitions as accounts are', () => {
    const spread = rows.filter(([, { partitions }]) => partitions === PARTITIONS).map(([name]) => name);
    expect(spread).toEqual(['usage.recorded', 'charge.rated', 'account.changed']);
  });
});
