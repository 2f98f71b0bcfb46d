import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@tokone/testing';
import OpenAI, { BadRequestError, RateLimitError } from 'openai';
import { Deployment } from '../../fixtures/deployment.js';

let deployment: Deployment;

beforeAll(async () => {
  deployment = await Deployment.start();
});
afterAll(async () => {
  try {
    expect(await deployment.moneyFaults()).toEqual([]);
  } finally {
    await deployment.close();
  }
});

/** What an SDK makes of a key; nothing is repeated by itself. */
function clientOf(apiKey: string): OpenAI {
  return new OpenAI({ apiKey, baseURL: `${deployment.baseUrl}/v1`, maxRetries: 0 });
}

const ask = (client: OpenAI, prompt = 'Reply with OK', maxTokens = 50) =>
  client.chat.completions.create({ model: 'gpt-5.5', messages: [{ role: 'user', content: prompt }], max_completion_tokens: maxTokens });

/** A stream whose first piece has come. */
async function openStream(client: OpenAI, prompt: string): Promise<AsyncIterator<OpenAI.ChatCompletionChunk>> {
  const stream = await client.chat.completions.create({ model: 'gpt-5.5', messages: [{ role: 'user', content: prompt }], max_completion_tokens: 500, stream: true });
  const pieces = stream[Symbol.asyncIterator]();
  await pieces.next();
  return pieces;
}

async function readToEnd(pieces: AsyncIterator<unknown>): Promise<void> {
  while (!(await pieces.next()).done);
}

async function refusalOf(call: Promise<unknown>): Promise<RateLimitError> {
  const error: unknown = await call.then(() => undefined, (reason: unknown) => reason);
  expect(error).toBeInstanceOf(RateLimitError);
  return error as RateLimitError;
}

const setLimits = async (query: string, limits: object): Promise<void> => {
  expect((await deployment.product.manage('PUT', `/api/v1/limits?${query}`, limits)).status).toBe(200);
};

describe('a limit of requests per minute', () => {
  it('refuses with the time to wait, and serves when it is over and not before', async () => {
    const { accountId, key } = await deployment.product.tenant('10', 'openai');
    await setLimits(`account=${accountId}`, { requestsPerMinute: 3 });
    const client = clientOf(key);
    for (let request = 0; request < 3; request++) await ask(client);
    const refusedAtMs = performance.now();
    const refusal = await refusalOf(ask(client));
    expect(refusal).toMatchObject({ status: 429, code: 'rate_limit_exceeded', message: expect.stringMatching(/limit of this account is 3 requests per minute.*again in \d+ s/) });
    const waitMs = Number(refusal.headers.get('retry-after')) * 1_000;
    expect(waitMs).toBeGreaterThan(50_000);
    expect(waitMs).toBeLessThanOrEqual(61_000);
    await waitFor(async () => (await ask(client).catch(refusedByLimit)) !== undefined, { what: 'the window to move on', deadlineMs: waitMs, intervalMs: 250 });
    // The header is rounded up to whole seconds.
    expect(performance.now() - refusedAtMs).toBeGreaterThan(waitMs - 1_000);
  }, 120_000);

  it('counts the keys of a user together, and nobody else', async () => {
    const { accountId, key: alone } = await deployment.product.tenant('10', 'openai');
    const user = String((await deployment.product.manage('POST', '/api/v1/users', { account: accountId, name: 'Ada' })).body['id']);
    const keyOf = async () => String((await deployment.product.manage('POST', '/api/v1/keys', { account: accountId, group: 'openai', user })).body['key']);
    const [first, second] = [clientOf(await keyOf()), clientOf(await keyOf())];
    await setLimits(`user=${user}`, { requestsPerMinute: 2 });
    await ask(first);
    await ask(second);
    for (const client of [first, second]) expect((await refusalOf(ask(client))).message).toContain('The limit of the user of this key is 2 requests per minute');
    await ask(clientOf(alone));
  });

  it('is heard of while the key is in use, and is gone when it is cleared', async () => {
    const { keyId, key } = await deployment.product.tenant('10', 'openai');
    const client = clientOf(key);
    await ask(client);
    await setLimits(`key=${keyId}`, { requestsPerMinute: 1 });
    const refused = async () => (await ask(client).catch(refusedByLimit)) === undefined;
    await waitFor(refused, { what: 'the limit to be heard of', deadlineMs: 6_000, intervalMs: 100 });
    expect((await deployment.product.manage('DELETE', `/api/v1/limits?key=${keyId}`)).status).toBe(200);
    await waitFor(async () => !(await refused()), { what: 'its end to be heard of', deadlineMs: 6_000, intervalMs: 100 });
  });
});

describe('a limit of tokens per minute', () => {
  it('counts what was used once that is known, and refuses for ever what asks for more than a minute has', async () => {
    const { keyId, key } = await deployment.product.tenant('10', 'openai');
    await setLimits(`key=${keyId}`, { tokensPerMinute: 1_000 });
    const client = clientOf(key);
    const answer = '[[sim: input-tokens=20 output-tokens=30]]';
    // Each may use more than half of it, and uses 50.
    for (let request = 0; request < 5; request++) await ask(client, answer, 700);
    await ask(client, '[[sim: input-tokens=20 output-tokens=650]]', 650);
    expect((await refusalOf(ask(client, answer, 200))).message).toMatch(/limit of this key is 1000 tokens per minute, and too few are left for this request, which may use \d+/);
    await expect(ask(client, answer, 1_000)).rejects.toMatchObject({ constructor: BadRequestError, code: 'request_exceeds_limit', headers: expect.anything() });
  });
});

describe('a limit of requests at a time', () => {
  it('counts running streams, whichever gateway has them, and frees their places as they end', async () => {
    const { accountId, key } = await deployment.product.tenant('10', 'openai');
    await setLimits(`account=${accountId}&group=openai`, { concurrentRequests: 3 });
    const client = clientOf(key);
    // Longer than an account may take to be opened.
    const slow = '[[sim: output-tokens=80 chunk-tokens=1 chunk-delay-ms=100]]';
    const streams = await Promise.all([openStream(client, slow), openStream(client, slow), openStream(client, slow)]);
    const refusal = await refusalOf(ask(client));
    expect(refusal.message).toContain('The limit of this account in the group of this key is 3 requests at a time, and as many are running.');
    expect(refusal.headers.get('retry-after')).toBe('1');
    await Promise.all(streams.map(readToEnd));
    // Whoever saw the end may come again at once.
    await Promise.all([ask(client), ask(client), ask(client)]);
  });

  it('has the place of a request again that the provider failed, or whose stream broke', async () => {
    const { keyId, key } = await deployment.product.tenant('10', 'openai');
    await setLimits(`key=${keyId}`, { concurrentRequests: 1 });
    const client = clientOf(key);
    for (const fault of ['[[sim: status=500]]', '[[sim: status=400]]']) await expect(ask(client, fault)).rejects.not.toBeInstanceOf(RateLimitError);
    await expect(openStream(client, '[[sim: cut-after=5]]').then(readToEnd)).rejects.not.toBeInstanceOf(RateLimitError);
    await ask(client);
  });
});

/** Undefined for a refusal by a limit; whatever else went wrong is thrown. */
function refusedByLimit(error: unknown): undefined {
  if (!(error instanceof RateLimitError)) throw error;
}
