import { createServer } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFile, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SimulatorProcess, makeTemporaryFolder, readTruth, startProduct, waitFor } from '@tokone/testing';
import type { Product, TemporaryFolder } from '@tokone/testing';

let folder: TemporaryFolder;
let product: Product | undefined;
beforeEach(async () => {
  [folder, product] = [await makeTemporaryFolder('upstream-choice'), undefined];
});
afterEach(async () => {
  await product?.stop();
  await folder.remove();
});

async function start(env: Record<string, string> = {}): Promise<Product> {
  product = await startProduct({ dataFolder: folder.path, env });
  return product;
}

async function call({ addresses }: Product, platform: 'openai' | 'anthropic'): Promise<number> {
  const path = platform === 'openai' ? '/v1/chat/completions' : '/v1/messages';
  const model = platform === 'openai' ? 'gpt-5.5' : 'claude-opus-4-6';
  const answer = await fetch(`${addresses.baseUrl}${path}`, {
    method: 'POST',
    headers: { 'authorization': `Bearer ${addresses.keys[platform]}`, 'content-type': 'application/json', 'anthropic-version': '2023-06-01' },
    body: JSON.stringify({ model, max_tokens: 16, messages: [{ role: 'user', content: 'Reply with OK' }] }),
  });
  await answer.arrayBuffer();
  return answer.status;
}

function groupLine({ program }: Product, platform: string): string {
  return program.stdout.split('\n').find((line) => line.startsWith(`  ${platform} `)) ?? '';
}

describe('the upstream of a group', () => {
  it('is paid with the provider key that is set, the ready block says so, and without the key it is the simulator again', async () => {
    const provider = await SimulatorProcess.start();
    try {
      const paid = await start({ OPENAI_API_KEY: 'sk-operator-4711', TOKONE_OPENAI_UPSTREAM_URL: provider.url });
      expect(groupLine(paid, 'openai')).toContain(`SPENDS REAL MONEY at ${provider.url}, because OPENAI_API_KEY is set`);
      for (const platform of ['anthropic', 'gemini']) expect(groupLine(paid, platform)).toContain('costs no real money');
      expect(await call(paid, 'openai')).toBe(200);
      expect(await call(paid, 'anthropic')).toBe(200);
      expect((await provider.truth()).map(({ credential }) => credential)).toEqual(['4711']);
      expect((await readTruth(paid.addresses.simulatorUrl)).map(({ dialect }) => dialect)).toEqual(['anthropic-messages']);
      expect(paid.program.stdout + paid.program.stderr).not.toContain('sk-operator-4711');
      await paid.stop();

      const free = await start();
      expect(free.program.stdout).not.toContain('REAL MONEY');
      expect(await call(free, 'openai')).toBe(200);
      expect(await provider.truth()).toHaveLength(1);
      const [record, ...others] = await readTruth(free.addresses.simulatorUrl);
      expect(others).toEqual([]);
      expect(record?.credential).not.toBe('4711');
    } finally {
      await provider.stop();
    }
  });

  it('is another address without a provider key when only the address is set', async () => {
    const provider = await SimulatorProcess.start();
    try {
      const started = await start({ TOKONE_OPENAI_UPSTREAM_URL: provider.url });
      expect(groupLine(started, 'openai')).toContain(`calls ${provider.url}, without a provider key`);
      expect(await call(started, 'openai')).toBe(200);
      expect(await provider.truth()).toHaveLength(1);
    } finally {
      await provider.stop();
    }
  });
});

describe('the simulator', () => {
  it('is started again on its port when it ends by itself', async () => {
    const started = await start();
    const { simulatorNotePath } = started;
    const { url, token } = JSON.parse(await readFile(simulatorNotePath, 'utf8')) as { url: string; token: string };
    expect((await fetch(`${url}/shutdown`, { method: 'POST', headers: { 'x-shutdown-token': token } })).status).toBe(200);
    await waitFor(async () => (await call(started, 'openai')) === 200, { what: 'an answer from a new simulator', deadlineMs: 20_000, intervalMs: 100 });
    expect(JSON.parse(await readFile(simulatorNotePath, 'utf8'))).toEqual({ url, token: expect.not.stringMatching(token) });
    expect(await started.stop()).toBe(0);
    await expect(fetch(`${url}/health`)).rejects.toThrow();
  });

  it('of another program is not taken over, even when that answers everything with 200, and gets no secret', async () => {
    const seen: IncomingMessage[] = [];
    const stranger: Server = createServer((request, response) => {
      seen.push(request);
      response.end('{"status":"ok"}');
    });
    await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
    try {
      const url = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}`;
      const { simulatorNotePath } = await start();
      await product?.stop();
      await writeFile(simulatorNotePath, JSON.stringify({ url, token: 'token-of-the-last-start' }));
      const started = await start();
      expect(started.addresses.simulatorUrl).not.toBe(url);
      expect(await call(started, 'openai')).toBe(200);
      expect(seen.map(({ url: path }) => path)).toEqual(['/lifeline']);
      expect(JSON.stringify(seen.map(({ headers }) => headers))).not.toContain('token-of-the-last-start');
    } finally {
      stranger.closeAllConnections();
      await new Promise((resolve) => stranger.close(resolve));
    }
  });
});
