import { describe, expect, it } from '@jest/globals';
import { type KafkaNode, kafkaSettings, writeEnvironment, writeProperties } from './kafka-settings.js';

function nodes(count: number): KafkaNode[] {
  return Array.from({ length: count }, (_, index) => {
    const first = 20_000 + 10 * index;
    return { nodeId: index + 1, listenHost: '127.0.0.1', host: '127.0.0.1', ports: { client: first, internal: first + 1, controller: first + 2 }, advertised: `127.0.0.1:${first}` };
  });
}

function settingsOf(count: number): Record<string, string> {
  const all = nodes(count);
  return kafkaSettings(all[0] as KafkaNode, all, '/data');
}

describe('the settings of a Kafka node', () => {
  it.each([[1, '1', '1'], [3, '3', '2']])('keep what %d nodes can keep', (count, copies, inStep) => {
    const settings = settingsOf(count);
    expect(settings['default.replication.factor']).toBe(copies);
    expect(settings['offsets.topic.replication.factor']).toBe(copies);
    expect(settings['min.insync.replicas']).toBe(inStep);
    expect(settings['transaction.state.log.min.isr']).toBe(inStep);
  });

  it('name every voter, and lead clients elsewhere than brokers', () => {
    const settings = settingsOf(3);
    expect(settings['controller.quorum.voters']).toBe('1@127.0.0.1:20002,2@127.0.0.1:20012,3@127.0.0.1:20022');
    expect(settings['advertised.listeners']).toBe('CLIENT://127.0.0.1:20000,INTERNAL://127.0.0.1:20001');
    expect(settings['inter.broker.listener.name']).toBe('INTERNAL');
  });

  it('are written as properties, and as the environment of the image', () => {
    expect(writeProperties({ 'log.dirs': 'C:\\data', 'node.id': '1' })).toBe('log.dirs=C:\\\\data\nnode.id=1\n');
    expect(writeEnvironment({ 'log.dirs': '/data' })).toEqual({ KAFKA_LOG_DIRS: '/data' });
  });
});
