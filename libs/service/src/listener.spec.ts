import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { afterEach, describe, expect, it } from '@jest/globals';
import { StartupError } from '@tokone/persistence';
import { checkAddress, listen, urlOf } from './listener.js';

let server: Server | undefined;
afterEach(() => new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined))));

describe('listening', () => {
  it('says of a port in use which one, and how to choose another', async () => {
    server = createServer();
    const port = await listen(server, { host: '127.0.0.1', port: 0 });
    const refusal = await checkAddress({ host: '127.0.0.1', port }).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(StartupError);
    expect(String(refusal)).toContain(`Port ${port} on 127.0.0.1 is in use.`);
    expect(String(refusal)).toContain('choose another port, as with PORT=');
  });

  it('names the settings of the listener that cannot have its address', async () => {
    server = createServer();
    const settings = { host: 'INTERNAL_HOST', port: 'INTERNAL_PORT' };
    const port = await listen(server, { host: '127.0.0.1', port: 0 });
    await expect(checkAddress({ host: '127.0.0.1', port, settings })).rejects.toThrow('as with INTERNAL_PORT=');
    await expect(checkAddress({ host: '8.8.8.8', port, settings })).rejects.toThrow('INTERNAL_HOST=8.8.8.8 is no address of this machine.');
  });

  it.each(['256.1.1.1', '8.8.8.8', 'two words'])('says of %j that it is no address of this machine', async (host) => {
    await expect(checkAddress({ host, port: 0 })).rejects.toThrow(`HOST=${host} is no address of this machine.`);
  });

  it('leaves an address free that it has looked at', async () => {
    server = createServer();
    const port = await listen(server, { host: '127.0.0.1', port: 0 });
    await new Promise((resolve) => server?.close(resolve));
    await checkAddress({ host: '127.0.0.1', port });
    server = createServer();
    expect(await listen(server, { host: '127.0.0.1', port })).toBe(port);
  });

  it.each([
    ['127.0.0.1', 'http://127.0.0.1:80'],
    ['localhost', 'http://localhost:80'],
    ['0.0.0.0', 'http://127.0.0.1:80'],
    ['::', 'http://[::1]:80'],
    ['::1', 'http://[::1]:80'],
  ])('shows %s as %s, which this machine can open', (host, url) => {
    expect(urlOf(host, 80)).toBe(url);
  });
});
