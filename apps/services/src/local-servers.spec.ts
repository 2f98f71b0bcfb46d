import { describe, expect, it } from '@jest/globals';
import { firstEnd } from './local-servers.js';

const never = new Promise<never>(() => undefined);

describe('the end of a server', () => {
  it.each([
    [{ code: null, signal: 'SIGKILL' as const }, 'Redis ended (SIGKILL), and TokOne stops, which cannot do without it. Its log is /data/redis.log.'],
    [{ code: 3, signal: null }, 'Redis ended (status 3), and TokOne stops, which cannot do without it. Its log is /data/redis.log.'],
  ])('is told with the name and the log of the server: %j', async (exit, sentence) => {
    const kafka = { title: 'Kafka', server: { exited: never, logFile: '/data/kafka.log' } };
    const postgres = { title: 'PostgreSQL', server: {} };
    expect(await firstEnd([kafka, { title: 'Redis', server: { exited: Promise.resolve(exit), logFile: '/data/redis.log' } }, postgres])).toBe(sentence);
  });
});
