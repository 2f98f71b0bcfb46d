import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pool } from 'pg';
import { Column, DataSource, Entity, type MigrationInterface, PrimaryColumn, type QueryRunner } from 'typeorm';
import { openDatabase, openPool } from './database.js';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.js';
import { runMigrations } from './migrate.js';
import { inTransaction, isTransient } from './transaction.js';

const ABOVE_SAFE_INTEGERS = 9_007_199_254_740_993n;
let scratch: string;
let postgres: EmbeddedPostgres;
let pool: Pool;

@Entity({ schema: 'shop', name: 'wallet' })
class Wallet {
  @PrimaryColumn('text') id: string;
  @Column('bigint') amount: bigint;
}

class CreateWallet1700000000001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE TABLE shop.wallet (id text PRIMARY KEY, amount int8 NOT NULL)');
  }
  async down(): Promise<void> {}
}

class FillWallet1700000000002 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`INSERT INTO shop.wallet VALUES ('first', 1)`);
  }
  async down(): Promise<void> {}
}

class BreakWallet1700000000003 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`INSERT INTO shop.wallet VALUES ('second', 1)`);
    await runner.query('SELECT 1 / 0');
  }
  async down(): Promise<void> {}
}

class SlowWallet1700000000003 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('SELECT pg_sleep(0.5)');
  }
  async down(): Promise<void> {}
}

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'tokone-database-'));
  postgres = await startEmbeddedPostgres({ dataFolder: join(scratch, 'data') });
});

afterAll(async () => {
  await postgres.stop();
  await rm(scratch, { recursive: true, force: true });
});

beforeEach(() => {
  pool = openPool({ url: postgres.url, poolSize: 2, statementTimeoutMs: 10_000 });
});

afterEach(async () => {
  await pool.query('DROP SCHEMA IF EXISTS shop CASCADE');
  await pool.query('DROP TABLE IF EXISTS entry');
  await pool.end();
});

async function withDataSource<Result>(
  work: (dataSource: DataSource) => Promise<Result>,
  { migrations = [CreateWallet1700000000001, FillWallet1700000000002] as (new () => MigrationInterface)[], statementTimeoutMs = 10_000 } = {},
): Promise<Result> {
  const dataSource = await openDatabase({ url: postgres.url, schema: 'shop', entities: [Wallet], migrations, poolSize: 2, statementTimeoutMs });
  try {
    return await work(dataSource);
  } finally {
    await dataSource.destroy();
  }
}

describe('openPool', () => {
  it('gives and takes int8 as bigint, alone and in arrays, beyond what a number holds', async () => {
    const { rows } = await pool.query('SELECT $1::int8 AS one, $2::int8[] AS many, count(*) AS count', [
      ABOVE_SAFE_INTEGERS,
      [ABOVE_SAFE_INTEGERS, null, -1n],
    ]);
    expect(rows).toEqual([{ one: ABOVE_SAFE_INTEGERS, many: [ABOVE_SAFE_INTEGERS, null, -1n], count: 1n }]);
  });

  it('leaves the parsers of other users of the driver as they are', async () => {
    const { default: pg } = await import('pg');
    const plain = new pg.Pool({ connectionString: postgres.url, max: 1 });
    try {
      expect((await plain.query('SELECT 1::int8 AS one')).rows).toEqual([{ one: '1' }]);
    } finally {
      await plain.end();
    }
  });

  it('ends a statement at its deadline', async () => {
    const hasty = openPool({ url: postgres.url, poolSize: 1, statementTimeoutMs: 50 });
    try {
      await expect(hasty.query('SELECT pg_sleep(30)')).rejects.toMatchObject({ code: '57014' });
    } finally {
      await hasty.end();
    }
  });

  it('survives the loss of an idle connection, tells its owner, and serves the next query', async () => {
    let tell: (error: Error) => void = () => undefined;
    const told = new Promise<Error>((resolve) => (tell = resolve));
    const watched = openPool({ url: postgres.url, poolSize: 1, statementTimeoutMs: 10_000, onConnectionError: tell });
    try {
      const { rows } = await watched.query('SELECT pg_backend_pid() AS id');
      await pool.query('SELECT pg_terminate_backend($1)', [rows[0].id]);
      expect(isTransient(await told)).toBe(true);
      expect((await watched.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    } finally {
      await watched.end();
    }
  });
});

describe('openDatabase', () => {
  it('stores and loads int8 columns of entities as bigint', async () => {
    await withDataSource(async (dataSource) => {
      await runMigrations(dataSource);
      const wallets = dataSource.getRepository(Wallet);
      await wallets.save({ id: 'big', amount: ABOVE_SAFE_INTEGERS });
      const wallet = await wallets.findOneByOrFail({ id: 'big' });
      expect(wallet.amount).toBe(ABOVE_SAFE_INTEGERS);
      wallet.amount -= 1n;
      await wallets.save(wallet);
      expect((await pool.query(`SELECT amount FROM shop.wallet WHERE id = 'big'`)).rows).toEqual([{ amount: ABOVE_SAFE_INTEGERS - 1n }]);
    });
  });

  it('never changes the schema by itself', async () => {
    await withDataSource(async () => undefined);
    expect((await pool.query(`SELECT to_regnamespace('shop') AS schema`)).rows).toEqual([{ schema: null }]);
  });
});

describe('runMigrations', () => {
  it('creates the schema, runs what is pending in order, keeps its table in the schema, and then has nothing to do', async () => {
    await withDataSource(async (dataSource) => {
      expect(await runMigrations(dataSource)).toEqual(['CreateWallet1700000000001', 'FillWallet1700000000002']);
      expect(await runMigrations(dataSource)).toEqual([]);
    });
    expect((await pool.query('SELECT name FROM shop.migrations ORDER BY id')).rows).toHaveLength(2);
  });

  it('runs each migration once when many processes start at once', async () => {
    const ran = await Promise.all(Array.from({ length: 4 }, () => withDataSource((dataSource) => runMigrations(dataSource))));
    expect(ran.flat()).toEqual(['CreateWallet1700000000001', 'FillWallet1700000000002']);
    expect((await pool.query('SELECT count(*) AS wallets FROM shop.wallet')).rows).toEqual([{ wallets: 1n }]);
  });

  it('rolls a failed migration back, keeps those before it, and gives the lock free', async () => {
    const broken = { migrations: [CreateWallet1700000000001, FillWallet1700000000002, BreakWallet1700000000003] };
    await expect(withDataSource((dataSource) => runMigrations(dataSource), broken)).rejects.toThrow('division by zero');
    expect((await pool.query('SELECT id FROM shop.wallet')).rows).toEqual([{ id: 'first' }]);
    expect(await withDataSource((dataSource) => runMigrations(dataSource, { timeoutMs: 5_000 }))).toEqual([]);
  });

  it('gives up behind a lock that is not released within its deadline', async () => {
    const client = await pool.connect();
    try {
      await client.query(`SELECT pg_advisory_lock(hashtextextended('tokone.migrations', 0))`);
      await expect(withDataSource((dataSource) => runMigrations(dataSource, { timeoutMs: 100 }))).rejects.toThrow(/timeout/);
    } finally {
      client.release(true);
    }
  });

  it('lets a migration take longer than the data source allows its queries', async () => {
    const slow = { migrations: [CreateWallet1700000000001, SlowWallet1700000000003], statementTimeoutMs: 200 };
    expect(await withDataSource((dataSource) => runMigrations(dataSource), slow)).toHaveLength(2);
  });
});

describe('inTransaction', () => {
  const count = async (): Promise<unknown> => (await pool.query('SELECT count(*) AS entries FROM entry')).rows[0].entries;

  beforeEach(async () => {
    await pool.query('CREATE TABLE entry (id int PRIMARY KEY)');
  });

  it('commits what the work did and returns its result', async () => {
    expect(await inTransaction(pool, async (client) => (await client.query('INSERT INTO entry VALUES (1)')).rowCount)).toBe(1);
    expect(await count()).toBe(1n);
  });

  it('rolls back when the work throws, passes the error on, and leaks no connection', async () => {
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const work = inTransaction(pool, async (client) => {
        await client.query('INSERT INTO entry VALUES (1)');
        throw new Error('changed my mind');
      });
      await expect(work).rejects.toThrow('changed my mind');
    }
    expect(await count()).toBe(0n);
    expect([pool.idleCount, pool.totalCount, pool.waitingCount]).toEqual([pool.totalCount, pool.totalCount, 0]);
  });

  it('fails when a statement failed inside and the work has swallowed it', async () => {
    const work = inTransaction(pool, async (client) => {
      await client.query('INSERT INTO entry VALUES (1)');
      await client.query('INSERT INTO entry VALUES (1)').catch(() => undefined);
    });
    await expect(work).rejects.toThrow('was rolled back');
    expect(await count()).toBe(0n);
  });

  it('closes a connection that was lost inside, with an error that may be tried again', async () => {
    const work = inTransaction(pool, async (client) => {
      await client.query('INSERT INTO entry VALUES (1)');
      const { rows } = await client.query('SELECT pg_backend_pid() AS id');
      await pool.query('SELECT pg_terminate_backend($1)', [rows[0].id]);
      await client.query('INSERT INTO entry VALUES (2)');
    });
    const error = await work.then(() => undefined, (reason: unknown) => reason);
    expect(isTransient(error)).toBe(true);
    expect(await count()).toBe(0n);
    expect(pool.totalCount).toBe(1);
  });

  it('tells a deadlock from other errors, so that the loser may be run again', async () => {
    await pool.query('INSERT INTO entry VALUES (1), (2)');
    const arrived = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const update = (own: number, other: number): Promise<unknown> =>
      inTransaction(pool, async (client) => {
        await client.query('SELECT FROM entry WHERE id = $1 FOR UPDATE', [own]);
        arrived[own - 1]?.resolve();
        await arrived[other - 1]?.promise;
        await client.query('SELECT FROM entry WHERE id = $1 FOR UPDATE', [other]);
      });
    const outcomes = await Promise.allSettled([update(1, 2), update(2, 1)]);
    const losers = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(losers).toHaveLength(1);
    expect(losers.every(({ reason }) => isTransient(reason))).toBe(true);
  });
});
