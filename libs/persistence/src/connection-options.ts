import pg from 'pg';

const INT8 = 20;
const INT8_ARRAY = 1016;
const TEXT_ARRAY: number = 1009;
const CONNECT_TIMEOUT_MS = 10_000;
const ANSWER_GRACE_MS = 5_000;

export interface ConnectionLimits {
  /** Upper bound of open connections. */
  poolSize: number;
  /** After which the server ends a statement, and a transaction that waits for its client. */
  statementTimeoutMs: number;
}

/** What every pool of ours hands to `pg`: deadlines on both sides, and int8 as bigint. */
export function connectionOptions({ poolSize, statementTimeoutMs }: ConnectionLimits): pg.PoolConfig {
  return {
    max: poolSize,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: statementTimeoutMs,
    idle_in_transaction_session_timeout: statementTimeoutMs,
    // For a server that no longer answers, so that its own deadline does not help.
    query_timeout: statementTimeoutMs + ANSWER_GRACE_MS,
    keepAlive: true,
    onConnect: (client) => void client.on('error', ignoreBreak),
    types: { getTypeParser },
  };
}

/**
 * A connection can break between the moment when the pool hands it out and the first query, when neither of them listens
 * (both may even stand in one packet): without a listener Node would end the process. The next query says it anyway.
 */
function ignoreBreak(): void {}

/** Money is int8. The parsers are set per pool: a global one would change the rows of every other user of `pg`. */
const getTypeParser = ((typeId: number, format?: 'text' | 'binary') => {
  if (format !== 'binary' && typeId === INT8) return BigInt;
  if (format !== 'binary' && typeId === INT8_ARRAY) return readInt8Array;
  return pg.types.getTypeParser(typeId, format);
}) as typeof pg.types.getTypeParser;

function readInt8Array(text: string): (bigint | null)[] {
  const entries = pg.types.getTypeParser(TEXT_ARRAY)(text) as (string | null)[];
  return entries.map((entry) => (entry === null ? null : BigInt(entry)));
}
