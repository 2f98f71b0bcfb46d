import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { StartupError } from '@tokone/persistence';
import { knownFailure, writeStartFailure } from './start-failure.js';

/** Nobody listens there: it was given back a moment ago. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function failureAt(host: string, port: number): Promise<unknown> {
  const socket = connect({ host, port });
  const [error] = (await once(socket, 'error')) as [unknown];
  return error;
}

describe('why a service could not start', () => {
  it('names the address at which nothing answers', async () => {
    const port = await closedPort();
    const text = `Nothing answers at 127.0.0.1, port ${port} (ECONNREFUSED).`;
    expect(writeStartFailure(await failureAt('127.0.0.1', port), 'billing')).toContain(text);
    const all = new AggregateError([await failureAt('127.0.0.1', port), await failureAt('127.0.0.1', port)]);
    expect(knownFailure(all)).toContain(' and ');
  });

  it('names the name that has no address', () => {
    const error = Object.assign(new Error('getaddrinfo ENOTFOUND nobody.invalid'), { syscall: 'getaddrinfo', code: 'ENOTFOUND', hostname: 'nobody.invalid' });
    expect(knownFailure(error)).toContain('Nothing answers at nobody.invalid (ENOTFOUND).');
  });

  it('keeps sentences, and the stack of what is ours', () => {
    expect(writeStartFailure(new StartupError('Take another port.'), 'billing')).toBe('Take another port.');
    const ours = new Error('odd');
    expect(writeStartFailure(ours, 'billing')).toContain(String(ours.stack));
    expect(writeStartFailure('text', 'billing')).toContain('please report it with these lines:\ntext');
  });
});
