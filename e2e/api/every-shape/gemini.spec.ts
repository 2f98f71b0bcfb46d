import { ApiError, GoogleGenAI, Type } from '@google/genai';
import type { GenerateContentConfig, GenerateContentResponse } from '@google/genai';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Deployment } from '../../fixtures/deployment.js';
import { describeRelay } from './relay.contract.js';

let deployment: Deployment;

// The SDK looks for Node's own HTTP dispatcher on `globalThis`, but a Jest test has a `globalThis` of its own; `fetch` still
// belongs to Node's, so its function constructor reaches that one.
const dispatcherKey = Symbol.for('undici.globalDispatcher.1');
const outerGlobal = (fetch.constructor as FunctionConstructor)('new Headers(); return globalThis')() as Record<symbol, unknown>;
Object.assign(globalThis, { [dispatcherKey]: outerGlobal[dispatcherKey] });

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

type Version = 'v1' | 'v1beta';

function clientWith(apiKey: string, apiVersion: Version = 'v1beta'): GoogleGenAI {
  return new GoogleGenAI({ apiKey, httpOptions: { baseUrl: deployment.baseUrl, apiVersion } });
}

const model = 'gemini-3.5-flash';
const client = (version?: Version) => clientWith(deployment.keys.gemini, version);
const weather = { name: 'get_weather', parameters: { type: Type.OBJECT, properties: { city: { type: Type.STRING } } } };

async function chunksOf(contents: string, config: GenerateContentConfig = {}): Promise<GenerateContentResponse[]> {
  const chunks: GenerateContentResponse[] = [];
  for await (const chunk of await client().models.generateContentStream({ model, contents, config })) chunks.push(chunk);
  return chunks;
}

describe.each<Version>(['v1beta', 'v1'])('the @google/genai package at /%s', (version) => {
  it('gets an answer', async () => {
    const response = await client(version).models.generateContent({ model, contents: 'Reply with OK' });
    expect(response.text).toBe('OK');
    expect(response.usageMetadata?.candidatesTokenCount).toBe(1);
  });

  it('streams the text that it gets whole', async () => {
    const whole = await client(version).models.generateContent({ model, contents: 'Tell me about routers' });
    const texts: string[] = [];
    for await (const chunk of await client(version).models.generateContentStream({ model, contents: 'Tell me about routers' })) texts.push(chunk.text ?? '');
    expect(texts.join('')).toBe(whole.text);
    expect(texts.length).toBeGreaterThan(2);
  });
});

describe('the @google/genai package', () => {
  it('gets cached tokens inside the prompt and thoughts outside the candidates', async () => {
    const contents = '[[sim: input-tokens=60 cache-read=40 reasoning-tokens=15 output-tokens=10]]';
    const usage = { promptTokenCount: 100, cachedContentTokenCount: 40, candidatesTokenCount: 10, thoughtsTokenCount: 15, totalTokenCount: 125 };
    expect((await client().models.generateContent({ model, contents })).usageMetadata).toMatchObject(usage);
    expect((await chunksOf(contents)).at(-1)?.usageMetadata).toMatchObject(usage);
  });

  it('gets several candidates, whole and streamed', async () => {
    const contents = '[[sim: output-tokens=10]]';
    const response = await client().models.generateContent({ model, contents, config: { candidateCount: 3 } });
    expect(response.candidates?.map(({ index }) => index)).toEqual([0, 1, 2]);
    expect(response.usageMetadata?.candidatesTokenCount).toBe(30);
    expect((await chunksOf(contents, { candidateCount: 3 })).at(-1)?.usageMetadata?.candidatesTokenCount).toBe(30);
  });

  it('calls functions, whole and streamed', async () => {
    const config = { tools: [{ functionDeclarations: [weather] }] };
    const response = await client().models.generateContent({ model, contents: 'get_weather now', config });
    expect(response.functionCalls).toMatchObject([{ name: 'get_weather', args: { city: expect.any(String) } }]);
    expect((await chunksOf('get_weather now', config)).flatMap((chunk) => chunk.functionCalls ?? [])).toEqual(response.functionCalls);
  });

  it('lists models and gets one, in the shape of Gemini', async () => {
    const names: (string | undefined)[] = [];
    for await (const listed of await client().models.list()) names.push(listed.name);
    expect(names).toContain(`models/${model}`);
    expect(names.filter((name) => !/^models\/gemini/.test(name ?? ''))).toEqual([]);
    const found = await client().models.get({ model });
    expect(found).toMatchObject({ name: `models/${model}`, inputTokenLimit: expect.any(Number), outputTokenLimit: expect.any(Number) });
    await expect(client().models.get({ model: 'gemini-0' })).rejects.toMatchObject({ status: 404 });
  });
});

describe('models with a key in x-goog-api-key', () => {
  it.each(['/v1/models', '/v1beta/models', '/models'])('are listed at %s in the shape of Gemini', async (path) => {
    const list = (await deployment.call('gemini', path)).json() as { models: { name: string }[] };
    expect(list.models.map(({ name }) => name)).toContain(`models/${model}`);
  });
});

describe('a stream without alt=sse', () => {
  it('is one JSON array that arrives element by element', async () => {
    const answer = await deployment.call('gemini', `/v1beta/models/${model}:streamGenerateContent`, { body: { contents: [{ parts: [{ text: '[[sim: output-tokens=12 chunk-tokens=4]]' }] }] } });
    expect(answer.headers['content-type']).toMatch(/^application\/json/);
    expect(JSON.parse(answer.text)).toHaveLength(4);
  });
});

describe('the @google/genai package raises its own error', () => {
  const generate = (contents: string, name = model) => client().models.generateContent({ model: name, contents });

  it.each<[string, () => Promise<unknown>, number, string]>([
    ['401 for a key that is none', () => clientWith('sk-wrong').models.generateContent({ model, contents: 'hi' }), 401, 'UNAUTHENTICATED'],
    ['404 for an unknown model', () => generate('hi', 'gemini-0'), 404, 'unknown_model'],
    ['404 for a model of another group', () => generate('hi', 'gpt-5.5'), 404, 'model_of_other_group'],
    ['400 for a hosted tool', () => client().models.generateContent({ model, contents: 'hi', config: { tools: [{ googleSearch: {} }] } }), 400, 'googleSearch'],
    ['429 when the provider is at its limit', () => generate('[[sim: status=429]]'), 429, 'upstream_rate_limited'],
    ['502 when the provider fails', () => generate('[[sim: status=500]]'), 502, 'upstream_failed'],
    ['503 when the provider is overloaded', () => generate('[[sim: status=503]]'), 503, 'upstream_overloaded'],
  ])('%s', async (_title, request, status, text) => {
    const error = await request().then(() => undefined, (thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ status, message: expect.stringContaining(text) });
  });

  it('402 for an empty balance', async () => {
    const { key } = await deployment.product.tenant('0', 'gemini');
    await expect(clientWith(key).models.generateContent({ model, contents: 'hi' })).rejects.toMatchObject({ status: 402, message: expect.stringContaining('insufficient_balance') });
  });

  // The pauses let the beginning leave: what fails before is told as a whole answer.
  it('in the middle of a stream that the provider breaks off', async () => {
    const seen: string[] = [];
    const read = async () => {
      for await (const chunk of await client().models.generateContentStream({ model, contents: '[[sim: cut-after=3 chunk-delay-ms=150 output-tokens=40]]' })) seen.push(chunk.text ?? '');
    };
    await expect(read()).rejects.toThrow();
    expect(seen.join('')).not.toBe('');
  });
});

const odd = (first: string) => (prompt: string) =>
  `{ ${first}"x_unknown" : {"deep":[1e2,-0.0,"\\u00e9\\/"], "stream":true} ,\n\t"contents":[{"role":"user","parts":[{"text":${JSON.stringify(prompt)},"x_member":null}]}],"generation_config":{"max_output\\u005ftokens": 50} }\r\n`;
const withoutStream = (body: string) => body.replace('"stream" : true,', '');

describeRelay({
  group: 'gemini',
  deployment: () => deployment,
  passedOn: { 'x-goog-api-client': 'google-genai-sdk/3', accept: 'application/json' },
  keptBack: ['set-cookie'],
  calls: [
    { title: 'generateContent', path: `/v1beta/models/${model}:generateContent`, body: odd('') },
    { title: 'generateContent at /v1', path: `/v1/models/${model}:generateContent`, body: odd('') },
    { title: 'generateContent with "stream": true in the body', path: `/v1beta/models/${model}:generateContent`, body: odd('"stream" : true,'), upstream: withoutStream },
    { title: 'streamGenerateContent as events', path: `/v1beta/models/${model}:streamGenerateContent?alt=sse`, body: odd('') },
    { title: 'streamGenerateContent as an array', path: `/v1/models/${model}:streamGenerateContent`, body: odd('') },
  ],
});
