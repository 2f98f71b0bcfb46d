import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { Kafka, logLevel } from 'kafkajs';
import pg from 'pg';
import type { KafkaPlace, RedisPlace } from './services.js';

const READ_DEADLINE_MS = 30_000;

/** Every row of every table of a database, as PostgreSQL writes it; bytes are hexadecimal there. */
export async function tableTexts(databaseUrl: string): Promise<string> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows: tables } = await client.query<{ name: string }>(`SELECT format('%I.%I', table_schema, table_name) AS name FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema') AND table_type = 'BASE TABLE' ORDER BY 1`);
    const texts: string[] = [];
    for (const { name } of tables) {
      const { rows } = await client.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`);
      texts.push(`${name}: ${rows.length} rows`, ...rows.map(({ row }) => row));
    }
    return texts.join('\n');
  } finally {
    await client.end();
  }
}

/** Every file below a folder, its bytes as latin1. */
export async function fileTexts(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  // A segment may go between the two.
  const texts = await Promise.all(files.map((file) => readFile(file, 'latin1').catch(() => '')));
  return texts.map((text, index) => `${files[index]}\n${text}`).join('\n');
}

/** Every message of every topic of a deployment: key, headers and value. */
export async function topicTexts({ brokers, topicPrefix }: KafkaPlace): Promise<string> {
  const kafka = new Kafka({ brokers: [...brokers], clientId: 'tests', logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  const left = new Map<string, bigint>();
  const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(topicPrefix));
  for (const topic of topics) {
    for (const { partition, high, low } of await admin.fetchTopicOffsets(topic)) if (BigInt(high) > BigInt(low)) left.set(`${topic}/${partition}`, BigInt(high));
  }
  await admin.disconnect();
  const texts = topics.map((topic) => `topic ${topic}`);
  if (left.size === 0) return texts.join('\n');
  const consumer = kafka.consumer({ groupId: `${topicPrefix}reader-${Date.now()}`, maxWaitTimeInMs: 50 });
  await consumer.connect();
  let timer: NodeJS.Timeout | undefined;
  try {
    await consumer.subscribe({ topics, fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`these were not read within ${READ_DEADLINE_MS} ms: ${[...left.keys()].join(', ')}`)), READ_DEADLINE_MS);
      const run = consumer.run({
        autoCommit: false,
        eachBatch: async ({ batch }) => {
          for (const { key, value, headers = {} } of batch.messages) texts.push([key, ...Object.entries(headers).flat(), value].map(String).join(' '));
          const place = `${batch.topic}/${batch.partition}`;
          if (BigInt(batch.lastOffset()) + 1n >= (left.get(place) ?? 0n)) left.delete(place);
          if (left.size === 0) resolve();
        },
      });
      run.catch(reject);
    });
  } finally {
    clearTimeout(timer);
    await consumer.disconnect();
  }
  return texts.join('\n');
}

/** Every key of a deployment in Redis, with what it holds. */
export async function redisTexts({ url, prefix }: RedisPlace): Promise<string> {
  const redis = new Redis(url, { maxRetriesPerRequest: 1, lazyConnect: true });
  redis.on('error', () => undefined);
  await redis.connect();
  try {
    const texts: string[] = [];
    for (const key of await redis.keys(`${prefix}*`)) texts.push(key, JSON.stringify(await valueOf(redis, key)));
    return texts.join('\n');
  } finally {
    redis.disconnect();
  }
}

async function valueOf(redis: Redis, key: string): Promise<unknown> {
  const type = await redis.type(key);
  if (type === 'string') return redis.get(key);
  if (type === 'hash') return redis.hgetall(key);
  if (type === 'list') return redis.lrange(key, 0, -1);
  if (type === 'set') return redis.smembers(key);
  if (type === 'zset') return redis.zrange(key, '0', '-1');
  throw new Error(`${key} holds a ${type}, which this search does not read`);
}
