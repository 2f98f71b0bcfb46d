import { mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { findMoneyFaults, makeTemporaryFolder, readTruth, startProduct, waitFor } from '@tokone/testing';
import type { Product, TemporaryFolder } from '@tokone/testing';
import { tokone } from '../fixtures/npm-program.js';

const UNKNOWN = '01940000-0000-7000-8000-000000000001';
let product: Product;
let folder: TemporaryFolder;
beforeAll(async () => {
  folder = await makeTemporaryFolder('command-line');
  product = await startProduct({ dataFolder: join(folder.path, 'data folder') });
});
afterAll(async () => {
  const { databaseUrl, simulatorUrl } = product.addresses;
  const faults = await findMoneyFaults({ databaseUrl, truth: await readTruth(simulatorUrl) });
  await product.stop();
  await folder.remove();
  expect(faults).toEqual([]);
});

const run = (...args: string[]) => tokone(product.dataFolder, ...args);

async function json(...args: string[]): Promise<Record<string, unknown>> {
  const { code, out, err } = await run(...args, '--json');
  expect({ code, err: code === 0 ? '' : err }).toEqual({ code: 0, err: '' });
  return JSON.parse(out) as Record<string, unknown>;
}

/** A refusal with --json: nothing on standard output, one JSON object on the last line of standard error. */
async function refusalOf(...args: string[]): Promise<{ code: number | null; message: string }> {
  const { code, out, err } = await run(...args, '--json');
  expect(out).toBe('');
  return { code, message: (JSON.parse(err.trimEnd().split('\n').at(-1) ?? '') as { error: { message: string } }).error.message };
}

async function call(key: string, prompt = 'Reply with OK', more: object = {}): Promise<{ status: number; id: string; text: string }> {
  const answer = await fetch(`${product.addresses.baseUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'authorization': `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'gpt-5.5', max_tokens: 64, messages: [{ role: 'user', content: prompt }], ...more }),
  });
  return { status: answer.status, id: answer.headers.get('x-request-id') ?? '', text: await answer.text() };
}

async function tenant(usd: string): Promise<{ id: string; keyId: string; key: string }> {
  const id = String((await json('account', 'create', '--name', "it's a tenant"))['id']);
  if (usd !== '0') await json('account', 'top-up', id, usd);
  const { id: keyId, key } = await json('key', 'create', '--account', id, '--group', 'openai');
  return { id, keyId: String(keyId), key: String(key) };
}

describe('the operator at the command line', () => {
  it('makes an account, tops it up, makes a key that is served, and sees the balance as USD', async () => {
    const account = await json('account', 'create', '--name', 'first');
    expect(account).toMatchObject({ id: expect.stringMatching(/^[0-9a-f-]{36}$/), balance: '0.00' });
    const id = String(account['id']);
    expect(await json('account', 'top-up', id, '12.345678901')).toMatchObject({ balance: '12.345678901' });
    expect(await json('account', 'show', id)).toMatchObject({ id, name: 'first', balance: '12.345678901' });
    const { key } = await json('key', 'create', '--account', id, '--group', 'openai');
    expect(key).toMatch(/^sk-[\w-]{43}$/);
    expect((await call(String(key))).status).toBe(200);
    expect((await run('account', 'show', id)).out).toMatch(new RegExp(`id: ${id}\\nname: first\\n`));
  });

  it('disables a key, which stops within 5 s', async () => {
    const { keyId, key } = await tenant('1');
    expect((await call(key)).status).toBe(200);
    expect(await json('key', 'disable', keyId)).toMatchObject({ id: keyId, status: 'disabled' });
    await waitFor(async () => (await call(key)).status === 401, { what: 'the key to stop', deadlineMs: 5_000 });
    expect(await json('key', 'disable', keyId)).toMatchObject({ status: 'disabled' });
  });

  it('has a request explained: model, tokens and price of each class, multiplier, lines, charge, ledger', async () => {
    const { key } = await tenant('1');
    const { id } = await call(key, 'Reply with OK [[sim: input-tokens=14 cache-read=100 reasoning-tokens=7 output-tokens=5]]');
    const found = await waitFor(async () => {
      const { code, out } = await run('charge', 'show', id, '--json');
      const charge = code === 0 ? (JSON.parse(out) as { usage: Record<string, unknown> | null; transfer: Record<string, unknown> | null }) : undefined;
      return charge?.transfer ? charge : undefined;
    }, { what: 'the charge', deadlineMs: 10_000 });
    // Prices of gpt-5.5 in USD per million tokens: input 5, cached 0.5, output 30.
    expect(found).toMatchObject({
      usage: {
        requestId: id, model: 'gpt-5.5', multiplier: '1', estimated: false, recomputed: true,
        tokens: { input: 14, cacheRead: 100, output: 5, reasoning: 7 },
        lines: [
          { item: 'input', quantity: 14, price: '5.00', amount: '0.00007' },
          { item: 'cacheRead', quantity: 100, price: '0.50', amount: '0.00005' },
          { item: 'output', quantity: 5, price: '30.00', amount: '0.00015' },
          { item: 'reasoning', quantity: 7, price: '30.00', amount: '0.00021' },
        ],
        charge: '0.00048', writeOff: '0.00',
      },
      transfer: { amount: '0.00048', entries: [{ ledgerAccount: 'wallet', amount: '-0.00048', balanceAfter: '0.99952' }, { ledgerAccount: 'revenue', amount: '0.00048' }] },
    });
    const { out } = await run('charge', 'show', id);
    for (const part of [id, 'gpt-5.5', 'multiplier 1', 'charge     0.00048 USD', 'wallet -0.00048 (then 0.99952)']) expect(out).toContain(part);
    expect(out).toMatch(/cacheRead +100 +0\.50 per million tokens +0\.00005/);
  });

  it('finds the account behind the $10 of the quick start, whose spent balance is topped up and then served again', async () => {
    const { key } = { key: product.addresses.keys.openai };
    const [demo] = (await json('account', 'list'))['items'] as { id: string; name: string; balance: string }[];
    expect(demo).toMatchObject({ name: 'demo', balance: '10.00' });
    // 128,000 output tokens at 30 USD per million: 3.84 USD each, so that the third does not fit any more.
    const spend = () => call(key, '[[sim: output-tokens=128000 chunk-tokens=4000 chunk-delay-ms=0]]', { max_tokens: 128_000 });
    const statuses: number[] = [];
    while (statuses.at(-1) !== 402 && statuses.length < 5) statuses.push((await spend()).status);
    expect(statuses).toEqual([200, 200, 402]);
    expect((await spend()).text).toMatch(/available|top up/i);
    await json('account', 'top-up', String(demo?.id), '2.5');
    expect((await spend()).status).toBe(200);
  });

  it('tops up once when the same id is given twice, and refuses the id for another amount', async () => {
    const { id } = await tenant('0');
    const topUp = '01940000-0000-7000-8000-0000000000aa';
    expect(await json('account', 'top-up', id, '3', '--id', topUp)).toMatchObject({ id: topUp, balance: '3.00' });
    expect(await json('account', 'top-up', id, '3', '--id', topUp)).toMatchObject({ id: topUp, balance: '3.00' });
    expect(await refusalOf('account', 'top-up', id, '4', '--id', topUp)).toMatchObject({ code: 1 });
    expect(await json('account', 'show', id)).toMatchObject({ balance: '3.00' });
  });

  it.each(['-5', 'ten', '1.0123456789', '0', '1e3', ''])('refuses %j as an amount, and adds nothing', async (amount) => {
    const { id } = await tenant('0');
    expect(await refusalOf('account', 'top-up', id, amount)).toMatchObject({ code: 2, message: expect.stringContaining('is not an amount') });
    expect(await json('account', 'show', id)).toMatchObject({ balance: '0.00' });
  });

  it.each([
    [['account', 'show', UNKNOWN], `There is no account "${UNKNOWN}".`],
    [['account', 'top-up', UNKNOWN, '1'], `There is no account "${UNKNOWN}".`],
    [['key', 'create', '--account', UNKNOWN, '--group', 'openai'], `There is no account "${UNKNOWN}".`],
    [['key', 'disable', UNKNOWN], `There is no key "${UNKNOWN}".`],
    [['charge', 'show', UNKNOWN], `There is no charge for request "${UNKNOWN}".`],
  ])('says of %j that there is none', async (args, message) => {
    expect(await refusalOf(...args)).toEqual({ code: 1, message });
  });

  it('says that there is no such group, too much money, no such command', async () => {
    const { id } = await tenant('0');
    expect(await refusalOf('key', 'create', '--account', id, '--group', 'nope')).toEqual({ code: 1, message: 'There is no group "nope".' });
    expect((await refusalOf('account', 'top-up', id, '1000001')).message).toContain('at most 1000000 USD');
    expect(await refusalOf('account', 'destroy')).toMatchObject({ code: 2 });
    expect(await refusalOf('account', 'show', 'demo')).toMatchObject({ code: 2, message: expect.stringContaining('"demo" is not an id') });
  });

  it('reads help for each command', async () => {
    for (const [args, parts] of [
      [['--help'], ['account', 'key', 'charge', 'TOKONE_DATA_DIR', 'Exit status']],
      [['account', 'top-up', '--help'], ['<usd>', '--id', 'adds once']],
      [['key', 'create', '--help'], ['--account', '--group']],
      [['charge', 'show', '--help'], ['x-request-id']],
    ] as const) {
      const { code, out } = await run(...args);
      expect(code).toBe(0);
      for (const part of parts) expect(out).toContain(part);
    }
  });
});

describe('without a TokOne', () => {
  it('says how to start one, or to name its folder', async () => {
    const empty = join(folder.path, 'empty');
    await mkdir(empty);
    for (const path of [empty, join(folder.path, 'nowhere')]) {
      const { code, out, err } = await tokone(path, 'account', 'list');
      expect({ code, out }).toEqual({ code: 1, out: '' });
      expect(err).toContain(`No TokOne runs on the data folder ${path}. Start it with npm start, or set TOKONE_DATA_DIR`);
    }
  });

  it('says that nobody answers when one was killed there', async () => {
    const killed = join(folder.path, 'killed');
    await mkdir(killed);
    const gone = createServer();
    await new Promise<void>((resolve) => gone.listen(0, '127.0.0.1', resolve));
    const { port } = gone.address() as AddressInfo;
    await new Promise((resolve) => gone.close(resolve));
    await writeFile(join(killed, 'operator.json'), JSON.stringify({ url: `http://127.0.0.1:${port}`, token: 'x' }));
    const { code, err } = await tokone(killed, 'account', 'list');
    expect(code).toBe(1);
    expect(err).toMatch(/^TokOne does not answer at .*Is it running\?/m);
    await rm(killed, { recursive: true });
  });
});
