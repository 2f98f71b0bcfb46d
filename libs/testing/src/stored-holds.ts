import { Redis } from 'ioredis';

export interface StoredHolds {
  held: number;
  settled: number;
  heldNanoUsd: bigint;
}

/** What admission has in Redis for a deployment: all its accounts, read as they stand. */
export async function readStoredHolds(redisUrl: string, prefix: string): Promise<StoredHolds> {
  const redis = new Redis(redisUrl, { maxRetriesPerRequest: 1, lazyConnect: true });
  redis.on('error', () => undefined);
  await redis.connect();
  try {
    const sum: StoredHolds = { held: 0, settled: 0, heldNanoUsd: 0n };
    for (const fields of await accountsOf(redis, prefix)) {
      for (const value of Object.values(fields)) {
        if (value.startsWith('h|')) sum.held++;
        if (value.startsWith('s|')) sum.settled++;
      }
      sum.heldNanoUsd += BigInt(fields['held'] ?? 0);
    }
    return sum;
  } finally {
    redis.disconnect();
  }
}

async function accountsOf(redis: Redis, prefix: string): Promise<Record<string, string>[]> {
  const keys = new Set<string>();
  let cursor = '0';
  do {
    const [next, page] = await redis.scan(cursor, 'MATCH', `${prefix}{*`, 'COUNT', 1_000);
    for (const key of page) keys.add(key);
    cursor = next;
  } while (cursor !== '0');
  return Promise.all([...keys].map((key) => redis.hgetall(key)));
}
