import { createServer } from 'node:http';
import type { IncomingHttpHeaders, Server } from 'node:http';
import { afterEach, describe, expect, it } from '@jest/globals';
import { startSimulator } from '@tokone/simulator';
import { listen, urlOf } from '@tokone/service';
import { endSimulator, renewLifeline } from './simulator-contact.js';

const TOKEN = 'token-of-this-folder';
const closers: (() => Promise<unknown>)[] = [];
afterEach(() => Promise.all(closers.splice(0).map((close) => close())));

async function simulator(shutdownToken: string): Promise<string> {
  const started = await startSimulator({ shutdownToken, onShutdown: () => void started.close() });
  closers.push(() => started.close());
  return started.url;
}

/** Answers 200 to everything, as many a program does. */
async function stranger(): Promise<{ url: string; seen: IncomingHttpHeaders[] }> {
  const seen: IncomingHttpHeaders[] = [];
  const server: Server = createServer((request, response) => {
    seen.push(request.headers);
    response.setHeader('x-lifeline-proof', String(request.headers['x-lifeline-proof']));
    response.end('{"status":"ok"}');
  });
  const port = await listen(server, { host: '127.0.0.1', port: 0 });
  closers.push(() => new Promise((resolve) => server.close(resolve)));
  return { url: urlOf('127.0.0.1', port), seen };
}

describe('contact with a simulator', () => {
  it('knows its own by its token', async () => {
    expect(await renewLifeline({ url: await simulator(TOKEN), token: TOKEN })).toBe('ours');
  });

  it('does not take the simulator of another TokOne for its own', async () => {
    expect(await renewLifeline({ url: await simulator('token-of-another-folder'), token: TOKEN })).toBe('gone');
  });

  it('does not take another program for it, and tells it nothing', async () => {
    const { url, seen } = await stranger();
    expect(await renewLifeline({ url, token: TOKEN })).toBe('gone');
    expect(await endSimulator({ url, token: TOKEN })).toBe(true);
    expect(JSON.stringify(seen)).not.toContain(TOKEN);
  });

  it('ends it, and nothing listens there any more', async () => {
    const contact = { url: await simulator(TOKEN), token: TOKEN };
    expect(await endSimulator(contact)).toBe(true);
    expect(await renewLifeline(contact)).toBe('gone');
  });
});
