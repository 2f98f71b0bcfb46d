import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { lifelineProof } from './lifeline-proof.js';
import { startSimulator, type Simulator } from './server.js';

let simulator: Simulator;
let shutdowns = 0;
let lifelines = 0;
beforeAll(async () => {
  simulator = await startSimulator({
    largestBodyBytes: 1000,
    shutdownToken: 'secret',
    onShutdown: () => (shutdowns += 1),
    onLifeline: () => (lifelines += 1),
  });
});
afterAll(() => simulator.close());

const call = (method: string, path: string, more: { headers?: Record<string, string>; body?: string } = {}) =>
  fetch(`${simulator.url}${path}`, { method, ...more });

describe('the server', () => {
  it('says that it is healthy', async () => {
    expect(await (await call('GET', '/health')).json()).toEqual({ status: 'ok' });
  });

  it.each([
    [{}, { error: { code: 'unknown_url', type: 'invalid_request_error' } }],
    [{ 'anthropic-version': '2023-06-01' }, { type: 'error', error: { type: 'not_found_error' } }],
    [{ 'x-goog-api-key': 'k' }, { error: { code: 404, status: 'NOT_FOUND' } }],
  ])('refuses an unknown path in the dialect that the headers show: %j', async (headers, body) => {
    const response = await call('GET', '/v1/unknown', { headers });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject(body);
  });

  it('refuses another method with 405', async () => {
    expect((await call('GET', '/v1/chat/completions')).status).toBe(405);
  });

  it.each(['', '{', '[]', 'null', '"x"', '\u0000'])('refuses the body %j with 400 in each dialect', async (body) => {
    const headers = { 'authorization': 'Bearer k', 'x-api-key': 'k', 'x-goog-api-key': 'k', 'anthropic-version': '1' };
    for (const path of ['/v1/chat/completions', '/v1/messages', '/v1beta/models/m:generateContent']) {
      expect((await call('POST', path, { headers, body })).status).toBe(400);
    }
  });

  it('refuses a body above the limit with 413 and stays alive', async () => {
    const response = await call('POST', '/v1/messages', { headers: { 'x-api-key': 'k' }, body: 'x'.repeat(5000) });
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ error: { type: 'request_too_large' } });
    expect((await call('GET', '/health')).status).toBe(200);
  });

  it('demands a credential for model lists and shapes them by the headers', async () => {
    expect((await call('GET', '/v1/models')).status).toBe(401);
    expect(await (await call('GET', '/v1/models', { headers: { authorization: 'Bearer k' } })).json()).toMatchObject({ object: 'list' });
    expect(await (await call('GET', '/v1/models', { headers: { 'x-api-key': 'k', 'anthropic-version': '1' } })).json()).toMatchObject({ has_more: false });
    expect(await (await call('GET', '/v1/models', { headers: { 'x-goog-api-key': 'k' } })).json()).toMatchObject({ models: expect.any(Array) });
  });

  it('shuts down for its token only', async () => {
    expect((await call('POST', '/shutdown', { headers: { 'x-shutdown-token': 'guess' } })).status).toBe(403);
    expect(shutdowns).toBe(0);
    expect((await call('POST', '/shutdown', { headers: { 'x-shutdown-token': 'secret' } })).status).toBe(200);
    expect(shutdowns).toBe(1);
  });

  it('takes a lifeline from who knows its token, and proves that it knows it too', async () => {
    const renew = (proof: string) => call('POST', '/lifeline', { headers: { 'x-lifeline-challenge': 'c1', 'x-lifeline-proof': proof } });
    expect((await call('POST', '/lifeline')).status).toBe(403);
    expect((await renew('secret')).status).toBe(403);
    expect(lifelines).toBe(0);
    const renewed = await renew(lifelineProof('secret', 'caller', 'c1'));
    expect(renewed.headers.get('x-lifeline-proof')).toBe(lifelineProof('secret', 'simulator', 'c1'));
    expect(lifelines).toBe(1);
  });

  it('takes a lifeline from anybody when it has no token', async () => {
    const other = await startSimulator();
    try {
      expect((await fetch(`${other.url}/lifeline`, { method: 'POST' })).status).toBe(200);
    } finally {
      await other.close();
    }
  });

  it('shows who followed its redirect', async () => {
    expect(await (await call('POST', '/redirected')).text()).toContain('followed a redirect');
  });

  it('frees its port when it is closed, with a stream under way', async () => {
    const other = await startSimulator({ chunkDelayMs: 0 });
    const body = JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content: '[[sim: stall]]' }] });
    const stream = await fetch(`${other.url}/v1/chat/completions`, { method: 'POST', headers: { authorization: 'Bearer k' }, body });
    await other.close();
    await expect(stream.text()).rejects.toThrow();
    const again = await startSimulator({ port: Number(new URL(other.url).port) });
    await again.close();
  });
});
