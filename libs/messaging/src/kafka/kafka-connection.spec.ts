import { describe, expect, it } from '@jest/globals';
import type { Logger } from '@tokone/telemetry';
import { KafkaConnection } from './kafka-connection.js';

describe('KafkaConnection', () => {
  it('puts the prefix in front of topics and groups', () => {
    const logger: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
    const connection = new KafkaConnection({ brokers: ['127.0.0.1:1'], clientId: 'x', topicPrefix: 'blue.', logger, now: () => 0 });
    expect([connection.topic('usage.recorded'), connection.group('billing')]).toEqual(['blue.usage.recorded', 'blue.billing']);
  });

  it('tells of a broker that is away once in ten seconds, not at each attempt', async () => {
    const lines: unknown[] = [];
    let nowMs = 0;
    const logger: Logger = { debug: () => undefined, info: () => undefined, warn: (fields) => lines.push(fields), error: () => undefined };
    const connection = new KafkaConnection({ brokers: ['127.0.0.1:1'], clientId: 'x', topicPrefix: '', logger, now: () => nowMs });
    const connect = (): Promise<unknown> => connection.admin().connect().catch((error: unknown) => error);
    await connect();
    const once = lines.length;
    expect(lines).toContainEqual(expect.objectContaining({ reason: expect.stringContaining('ECONNREFUSED') }));
    await connect();
    expect(lines.length).toBe(once);
    nowMs = 11_000;
    await connect();
    expect(lines.length).toBe(2 * once);
  });
});
