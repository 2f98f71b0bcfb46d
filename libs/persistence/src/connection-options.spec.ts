import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { openPool } from './database.js';
import { inTransaction, isTransient } from './transaction.js';

/** A message of PostgreSQL's protocol: type, length, content. */
function message(type: string, content: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(type, 0, 'latin1');
  head.writeInt32BE(content.length + 4, 1);
  return Buffer.concat([head, content]);
}

const AUTHENTICATION_OK = message('R', Buffer.alloc(4));
const READY = message('Z', Buffer.from('I'));
const SHUTDOWN = message('E', Buffer.from('SFATAL\0C57P01\0Mterminating connection due to administrator command\0\0'));

let server: Server;

beforeEach(async () => {
  // Ready, and gone in the same breath: what a server does that is told to stop just then.
  server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(Buffer.concat([AUTHENTICATION_OK, READY, SHUTDOWN])));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
});

describe('a connection that breaks in the moment when it is handed out', () => {
  it('is a failure of the work that it was for, not of the process', async () => {
    const { port } = server.address() as AddressInfo;
    const pool = openPool({ url: `postgres://someone@127.0.0.1:${port}/tokone`, poolSize: 1, statementTimeoutMs: 1_000 });
    for (let time = 0; time < 3; time++) {
      const failure: unknown = await inTransaction(pool, (client) => client.query('SELECT 1')).catch((error: unknown) => error);
      expect(isTransient(failure)).toBe(true);
    }
    await pool.end();
  });
});
