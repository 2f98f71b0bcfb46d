import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import type { OwnedServer } from './owned-server.js';
import { type TemporaryFolder, makeTemporaryFolder } from '../temporary-folder.js';
import { type PostgresServer, startPostgres } from './postgres.js';
import { type RedisServer, startRedis } from './redis.js';

const SHORT_MS = 300;
const LONG_MS = 20_000;
let folder: TemporaryFolder;
let owned: OwnedServer[];

beforeEach(async () => {
  folder = await makeTemporaryFolder('owned');
  owned = [];
});

afterEach(async () => {
  await Promise.all(owned.map((server) => server.discard()));
  await folder.remove();
});

/** Ended with the test, whatever it finds. */
async function own<Server extends OwnedServer>(start: Promise<Server>): Promise<Server> {
  const server = await start;
  owned.push(server);
  return server;
}

async function askRedis<Answer>(server: RedisServer, timeoutMs: number, ask: (redis: Redis) => Promise<Answer>): Promise<Answer> {
  const redis = new Redis(server.url, { lazyConnect: true, connectTimeout: timeoutMs, commandTimeout: timeoutMs, retryStrategy: () => null });
  redis.on('error', () => undefined);
  try {
    return await ask(redis);
  } finally {
    redis.disconnect();
  }
}

async function askPostgres(server: PostgresServer, timeoutMs: number, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: server.url, connectionTimeoutMillis: timeoutMs, query_timeout: timeoutMs });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query(sql)).rows;
  } finally {
    await Promise.race([client.end(), new Promise((resolve) => setTimeout(resolve, SHORT_MS))]);
  }
}

describe('a Redis of our own', () => {
  it('keeps what was acknowledged through kill -9, on the same address', async () => {
    const redis = await own(startRedis({ folder: folder.path }));
    const { url, processId, exited, logFile } = redis;
    expect(await readFile(logFile ?? '', 'utf8')).toContain('Ready to accept connections');
    await askRedis(redis, LONG_MS, (client) => client.set('kept', 'yes'));
    await redis.kill();
    expect(await exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(redis.processId).toBeUndefined();
    await expect(askRedis(redis, LONG_MS, (client) => client.get('kept'))).rejects.toThrow();
    await redis.start();
    expect(redis.url).toBe(url);
    expect(redis.processId).not.toBe(processId);
    expect(await askRedis(redis, LONG_MS, (client) => client.get('kept'))).toBe('yes');
    await redis.stop();
    expect(redis.processId).toBeUndefined();
    await redis.stop();
  });

  it('answers nothing while it is paused, and ends even then', async () => {
    const redis = await own(startRedis({ folder: folder.path }));
    await redis.pause();
    await expect(askRedis(redis, SHORT_MS, (client) => client.ping())).rejects.toThrow();
    await redis.resume();
    expect(await askRedis(redis, LONG_MS, (client) => client.ping())).toBe('PONG');
    await redis.pause();
    await redis.stop();
    expect(redis.processId).toBeUndefined();
  });

  it('runs beside another one', async () => {
    const [first, second] = await Promise.all([own(startRedis({ folder: folder.path })), own(startRedis({ folder: join(folder.path, 'second') }))]);
    expect(first.url).not.toBe(second.url);
  });
});

describe('a PostgreSQL of our own', () => {
  it('keeps what was committed through kill -9, on the same address', async () => {
    const postgres = await own(startPostgres({ folder: folder.path }));
    const { url, exited, logFile } = postgres;
    expect(await readFile(logFile ?? '', 'utf8')).toContain('ready to accept connections');
    await askPostgres(postgres, LONG_MS, 'CREATE TABLE kept AS SELECT 1 AS one');
    expect(await askPostgres(postgres, LONG_MS, 'SHOW max_connections')).toEqual([{ max_connections: '300' }]);
    await postgres.kill();
    expect(await exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(postgres.processId).toBeUndefined();
    await expect(askPostgres(postgres, LONG_MS, 'SELECT one FROM kept')).rejects.toThrow();
    await postgres.start();
    expect(postgres.url).toBe(url);
    expect(await askPostgres(postgres, LONG_MS, 'SELECT one FROM kept')).toEqual([{ one: 1 }]);
    await postgres.stop();
  });

  it('answers on no connection while it is paused, those that were open included', async () => {
    const postgres = await own(startPostgres({ folder: folder.path }));
    const open = new pg.Client({ connectionString: postgres.url });
    open.on('error', () => undefined);
    await open.connect();
    await postgres.pause();
    const answer = open.query('SELECT 1 AS one');
    const first = await Promise.race([answer.then(() => 'answered'), new Promise((resolve) => setTimeout(resolve, SHORT_MS, 'silent'))]);
    expect(first).toBe('silent');
    await expect(askPostgres(postgres, SHORT_MS, 'SELECT 1')).rejects.toThrow();
    await postgres.resume();
    expect((await answer).rows).toEqual([{ one: 1 }]);
    await open.end();
  });
});
