import { randomBytes } from 'node:crypto';
import pg from 'pg';

const CONNECT_TIMEOUT_MS = 10_000;

/** A database of one test or deployment on a server that others use too. */
export interface TestDatabase {
  name: string;
  url: string;
  /** Also ends the connections that are still open to it. */
  drop(): Promise<void>;
}

/** @param serverUrl of a role that may create databases */
export async function createDatabase(serverUrl: string, name = `test_${randomBytes(6).toString('hex')}`): Promise<TestDatabase> {
  await query(serverUrl, `CREATE DATABASE ${pg.escapeIdentifier(name)}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return { name, url: url.href, drop: () => query(serverUrl, `DROP DATABASE IF EXISTS ${pg.escapeIdentifier(name)} WITH (FORCE)`) };
}

async function query(connectionString: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
