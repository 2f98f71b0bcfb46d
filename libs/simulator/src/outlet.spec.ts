import { createServer, get, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Outlet, type OutletShape } from './outlet.js';

let server: Server;
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** Runs `serve` on the response of one real request, and gives both ends. */
async function exchange(shape: Partial<OutletShape>, serve: (outlet: Outlet, response: ServerResponse) => unknown) {
  let bytes = 0;
  let served: unknown;
  server = createServer((_request, response) => {
    served = serve(new Outlet(response, { gzip: false, onBytes: (count) => (bytes += count), ...shape }), response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const message = await new Promise<IncomingMessage>((resolve, reject) => {
    get({ port: (server.address() as AddressInfo).port, agent: false }, resolve).on('error', reject);
  });
  message.on('error', () => undefined);
  const pieces: Buffer[] = [];
  const closed = new Promise<void>((resolve) => message.on('close', () => resolve()));
  return { message, pieces, closed, served: () => served, bytes: () => bytes, read: () => message.on('data', (piece: Buffer) => pieces.push(piece)) };
}

describe('outlet', () => {
  it('counts the bytes that it hands over, whatever their shape', async () => {
    const { read, closed, pieces, bytes } = await exchange({ splitBytes: 3 }, async (outlet) => {
      outlet.writeHead(200, {});
      await outlet.write(Buffer.from('0123456789'));
      outlet.end();
    });
    read();
    await closed;
    expect(Buffer.concat(pieces).toString()).toBe('0123456789');
    expect(bytes()).toBe(10);
  });

  it('writes one valid gzip body out of many writes', async () => {
    const { read, closed, pieces, message } = await exchange({ gzip: true }, async (outlet) => {
      outlet.writeHead(200, {});
      for (const text of ['one ', 'two ', 'three']) await outlet.write(outlet.encode(text));
      outlet.end();
    });
    read();
    await closed;
    expect(message.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(Buffer.concat(pieces)).toString()).toBe('one two three');
  });

  it('delivers what was written before it cuts, and never ends cleanly', async () => {
    const { read, closed, pieces, message } = await exchange({}, async (outlet) => {
      outlet.writeHead(200, {});
      await outlet.write(Buffer.from('half'));
      await outlet.cut();
    });
    read();
    await closed;
    expect(Buffer.concat(pieces).toString()).toBe('half');
    expect(message.complete).toBe(false);
  });

  it.each(['write', 'pause', 'stall'] as const)('wakes from %s when the client leaves', async (kind) => {
    const { message, served } = await exchange({}, async (outlet) => {
      outlet.writeHead(200, {});
      outlet.flushHead();
      if (kind === 'write') while (await outlet.write(Buffer.alloc(1024 * 1024))) continue;
      if (kind === 'pause') await outlet.pause(60_000);
      if (kind === 'stall') await outlet.stall();
      return outlet.left;
    });
    message.destroy();
    expect(await served()).toBe(true);
  });
});
