import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { InternalClient } from '@tokone/http';
import type { PriceSnapshot } from '@tokone/pricing';
import { silentLogger } from '@tokone/telemetry';
import { HttpChargeStatements } from './http-charge-statements.js';
import { HttpOutbox } from './http-outbox.js';
import { HttpPriceBook } from './http-price-book.js';
import { HttpUsageQuery } from './http-usage-query.js';
import { writeCurrentPrices, writeOnePrice } from './price-wire.js';

/** A billing service that says what the test tells it to. */
let answer: (path: string) => { status?: number; json: unknown } | undefined;
let asked: string[];
let client: InternalClient;
let close: () => Promise<void>;

beforeEach(async () => {
  asked = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const found = answer(request.url ?? '');
    if (found) response.writeHead(found.status ?? 200).end(JSON.stringify(found.json));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  client = new InternalClient({ baseUrls: [`http://127.0.0.1:${(server.address() as AddressInfo).port}`], secret: 'of the services', now: () => 0 });
  close = async () => {
    await client.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
});
afterEach(async () => {
  await close();
});

const price = (version: number, model = 'a/b'): PriceSnapshot => ({
  id: `${version}/${model}`,
  model,
  platform: 'openai',
  maxInputTokens: 1,
  maxOutputTokens: 1,
  tiers: { default: [] },
  unitNanoUsd: {},
});
const current = (version: number, models = ['a/b']) => ({ json: writeCurrentPrices(version, models.map((model) => price(version, model))) });
const bookOf = () => new HttpPriceBook({ client, log: silentLogger });

describe('HttpPriceBook', () => {
  it('asks with the version that it has, and takes an unchanged one for no news', async () => {
    answer = (path) => (path.includes('version=4') ? { json: writeCurrentPrices(4, null) } : current(4));
    const book = bookOf();
    await book.start();
    await book.refresh();
    expect(asked).toEqual(['/internal/billing/prices', '/internal/billing/prices?version=4']);
    expect(book.find('a/b')?.id).toBe('4/a/b');
    await book.stop();
  });

  it('is not taken back by a replica that has not seen the new version yet', async () => {
    answer = () => current(4);
    const book = bookOf();
    await book.start();
    answer = () => current(3);
    await book.refresh();
    expect(book.find('a/b')?.id).toBe('4/a/b');
    await book.stop();
  });

  it('answers for current and former versions from memory, and asks for others once', async () => {
    answer = () => current(1);
    const book = bookOf();
    await book.start();
    answer = (path) => (path.includes('by-id') ? { json: writeOnePrice(path.includes('0%2Fx') ? price(0, 'x') : undefined) } : current(2));
    await book.refresh();
    asked = [];
    expect([(await book.byId('1/a/b'))?.id, (await book.byId('2/a/b'))?.id]).toEqual(['1/a/b', '2/a/b']);
    expect(asked).toEqual([]);
    for (let time = 0; time < 3; time++) expect((await book.byId('0/x'))?.id).toBe('0/x');
    expect(asked).toEqual(['/internal/billing/prices/by-id?id=0%2Fx']);
    expect(await book.byId('0/y')).toBeUndefined();
    await book.stop();
  });

  it('does not start without prices, and says why', async () => {
    answer = () => ({ status: 503, json: { error: { code: 'not_ready', message: 'Not yet.' } } });
    const book = bookOf();
    await expect(book.start()).rejects.toThrow('Not yet.');
    await book.stop();
  });

  it('ends with its stop, after the comparison that runs', async () => {
    answer = () => current(1);
    const book = new HttpPriceBook({ client, log: silentLogger, refreshMs: 1 });
    await book.start();
    const hold = new Promise<void>((resolve) => (answer = () => (resolve(), undefined)));
    await hold;
    const stopped = book.stop();
    await client.close();
    await stopped;
    expect(asked.length).toBe(2);
  });
});

describe('the other questions to billing', () => {
  it('name a range that is not one as such', async () => {
    answer = () => ({ status: 400, json: { error: { code: 'bad_range', message: 'days must be 1 to 90, not 0.' } } });
    const range = { startDate: '2026-01-01', endDate: '2026-01-02', days: 0, timezone: 'UTC' };
    await expect(new HttpUsageQuery(client).ofKey('k', range)).rejects.toMatchObject({ name: 'RangeError', message: 'days must be 1 to 90, not 0.' });
  });

  it('hand on what explains a charge, and nothing for a request that billing does not know', async () => {
    answer = () => ({ json: { charge: { state: 'rated', rated: '0.5', lines: [] } } });
    expect(await new HttpChargeStatements(client).explain('a/b')).toEqual({ state: 'rated', rated: '0.5', lines: [] });
    expect(asked).toEqual(['/internal/billing/charges/a%2Fb']);
    answer = () => ({ json: { charge: null } });
    expect(await new HttpChargeStatements(client).explain('x')).toBeUndefined();
  });

  it('are false about an outbox that is not published in time, and fail when billing is away', async () => {
    answer = () => ({ json: { published: true } });
    expect(await new HttpOutbox(client).publishedSoFar(1_000)).toBe(true);
    answer = () => undefined;
    expect(await new HttpOutbox(client).publishedSoFar(50)).toBe(false);
    answer = () => ({ status: 500, json: { error: { code: 'status_500', message: 'The service could not do this now.' } } });
    await expect(new HttpOutbox(client).publishedSoFar(1_000)).rejects.toThrow('could not do this');
  });
});
