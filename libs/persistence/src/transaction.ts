import type { Pool, PoolClient } from 'pg';
import { errorCode } from './startup-error.js';

/**
 * Runs `work` in one transaction on one connection: committed when it returns, rolled back when it throws. The
 * connection goes back to the pool on every path, or is closed when its state is unknown.
 * @throws what `work` throws; an error of COMMIT leaves open whether the transaction took place.
 */
export async function inTransaction<Result>(pool: Pool, work: (client: PoolClient) => Promise<Result>): Promise<Result> {
  const client = await pool.connect();
  let broken: Error | undefined;
  const noteBreak = (error: Error): void => {
    broken = error;
  };
  // A connection that is checked out reports its break as an event, which ends the process when nobody listens.
  client.on('error', noteBreak);
  try {
    await client.query('BEGIN');
    const result = await work(client);
    const { command } = await client.query('COMMIT');
    // PostgreSQL answers COMMIT with ROLLBACK, not with an error, after a failure that `work` has caught.
    if (command !== 'COMMIT') throw new Error('the transaction was rolled back because one of its statements had failed');
    return result;
  } catch (error) {
    // A connection that no longer answers would make ROLLBACK wait for its deadline too; closing it has the same effect.
    if (error instanceof Error && isLostConnection(error)) broken = error;
    else await client.query('ROLLBACK').catch(noteBreak);
    throw error;
  } finally {
    client.off('error', noteBreak);
    client.release(broken);
  }
}

const CONNECTION_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

/** 08: connection; 53: resources; 40001, 40P01: the other transaction won; 57P0x: the server stops or starts. */
const TRANSIENT_SQLSTATE = /^(08...|53...|40001|40P01|57P0.)$/;

/** What `pg` says without a code when a connection is lost or cannot be had in time. */
const CONNECTION_MESSAGE =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Query read timeout|Client was closed)/;

/** Whether the same work may succeed a little later. Looks through causes, and at each error of an AggregateError. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = errorCode(error);
  if (code !== undefined && (CONNECTION_CODES.has(code) || TRANSIENT_SQLSTATE.test(code))) return true;
  if (isLostConnection(error)) return true;
  if (error instanceof AggregateError && error.errors.some(isTransient)) return true;
  return isTransient(error.cause);
}

function isLostConnection(error: Error): boolean {
  return CONNECTION_MESSAGE.test(error.message);
}
