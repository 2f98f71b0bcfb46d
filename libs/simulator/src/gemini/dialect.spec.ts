import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ApiError, GoogleGenAI, Type, type GenerateContentResponse } from '@google/genai';
import { startSimulator, type Simulator } from '../server.js';

let simulator: Simulator;
let client: GoogleGenAI;

// The SDK looks for Node's own HTTP dispatcher on `globalThis`, but a Jest test has a `globalThis` of its own; `fetch` still
// belongs to Node's, so its function constructor reaches that one.
const dispatcherKey = Symbol.for('undici.globalDispatcher.1');
const outerGlobal = (fetch.constructor as FunctionConstructor)('new Headers(); return globalThis')() as Record<symbol, unknown>;
Object.assign(globalThis, { [dispatcherKey]: outerGlobal[dispatcherKey] });

beforeAll(async () => {
  simulator = await startSimulator({ chunkDelayMs: 0 });
  client = new GoogleGenAI({ apiKey: 'AIza-2468', httpOptions: { baseUrl: simulator.url } });
});
afterAll(() => simulator.close());

const model = 'gemini-3.5-flash';
const weather = { name: 'get_weather', parameters: { type: Type.OBJECT, properties: { city: { type: Type.STRING } } } };

async function chunksOf(contents: string, config = {}): Promise<GenerateContentResponse[]> {
  const chunks: GenerateContentResponse[] = [];
  for await (const chunk of await client.models.generateContentStream({ model, contents, config })) chunks.push(chunk);
  return chunks;
}

const raw = (path: string, body: unknown, headers: Record<string, string> = { 'x-goog-api-key': 'AIza-2468' }) =>
  fetch(`${simulator.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
const ask = (text: string) => ({ contents: [{ parts: [{ text }] }] });

describe('Gemini content, read by the official SDK', () => {
  it('answers "Reply with OK" with OK and counts it', async () => {
    const response = await client.models.generateContent({ model, contents: 'Reply with OK' });
    expect(response.text).toBe('OK');
    expect(response.candidates?.[0]?.finishReason).toBe('STOP');
    expect(response.usageMetadata).toMatchObject({ promptTokenCount: 4, candidatesTokenCount: 1, totalTokenCount: 5 });
  });

  it('streams the same text that it gives whole, with running usage, and ends with the finish reason', async () => {
    const whole = await client.models.generateContent({ model, contents: 'Tell me about routers' });
    const chunks = await chunksOf('Tell me about routers');
    expect(chunks.map((chunk) => chunk.text ?? '').join('')).toBe(whole.text);
    const counts = chunks.map((chunk) => chunk.usageMetadata?.candidatesTokenCount ?? -1);
    expect(counts).toEqual([...counts].sort((left, right) => left - right));
    expect(counts.at(-1)).toBe(whole.usageMetadata?.candidatesTokenCount);
    expect(chunks.map((chunk) => chunk.candidates?.[0]?.finishReason).filter(Boolean)).toEqual(['STOP']);
    expect(chunks.at(-1)?.candidates?.[0]?.finishReason).toBe('STOP');
  });

  it('counts cached tokens inside the prompt and thoughts outside the candidates', async () => {
    const contents = '[[sim: input-tokens=60 cache-read=40 reasoning-tokens=15 output-tokens=10]]';
    const { usageMetadata } = await client.models.generateContent({ model, contents });
    expect(usageMetadata).toMatchObject({
      promptTokenCount: 100,
      cachedContentTokenCount: 40,
      candidatesTokenCount: 10,
      thoughtsTokenCount: 15,
      totalTokenCount: 125,
    });
  });

  it('shows thoughts when they are included', async () => {
    const config = { thinkingConfig: { includeThoughts: true } };
    const chunks = await chunksOf('[[sim: reasoning-tokens=8 output-tokens=4]]', config);
    const parts = chunks.flatMap((chunk) => chunk.candidates?.[0]?.content?.parts ?? []);
    expect(parts.filter((part) => part.thought).map((part) => part.text).join('')).toHaveLength(32);
    expect(chunks.at(-1)?.usageMetadata?.thoughtsTokenCount).toBe(8);
    expect(simulator.truth().at(-1)?.tokens).toMatchObject({ output: 4, reasoning: 8 });
  });

  it('truncates at maxOutputTokens, in either spelling', async () => {
    const response = await client.models.generateContent({ model, contents: '[[sim: output-tokens=99]]', config: { maxOutputTokens: 7 } });
    expect(response.candidates?.[0]?.finishReason).toBe('MAX_TOKENS');
    expect(response.text).toHaveLength(28);
    const snake = await raw(`/v1beta/models/${model}:generateContent`, { ...ask('[[sim: output-tokens=99]]'), generation_config: { max_output_tokens: 5 } });
    expect(await snake.json()).toMatchObject({ usageMetadata: { candidatesTokenCount: 5 } });
  });

  it('answers several candidates and counts them all', async () => {
    const contents = '[[sim: output-tokens=10]]';
    const response = await client.models.generateContent({ model, contents, config: { candidateCount: 3 } });
    expect(response.candidates?.map((candidate) => candidate.index)).toEqual([0, 1, 2]);
    expect(response.usageMetadata?.candidatesTokenCount).toBe(30);
    const last = (await chunksOf(contents, { candidateCount: 3 })).at(-1);
    expect(last?.candidates).toHaveLength(3);
    expect(last?.usageMetadata?.candidatesTokenCount).toBe(30);
  });

  it('calls the function that the prompt names, whole and streamed', async () => {
    const config = { tools: [{ functionDeclarations: [weather] }] };
    const response = await client.models.generateContent({ model, contents: 'get_weather now', config });
    expect(response.functionCalls).toMatchObject([{ name: 'get_weather', args: { city: expect.any(String) } }]);
    const chunks = await chunksOf('get_weather now', config);
    expect(chunks.flatMap((chunk) => chunk.functionCalls ?? [])).toEqual(response.functionCalls);
  });

  it('without alt=sse streams one JSON array, element by element', async () => {
    const response = await raw(`/v1beta/models/${model}:streamGenerateContent`, ask('[[sim: output-tokens=12 chunk-tokens=4]]'));
    expect(response.headers.get('content-type')).toMatch(/^application\/json/);
    const elements = (await response.json()) as { candidates: unknown[] }[];
    expect(elements).toHaveLength(4);
  });

  it('with alt=sse streams events and no [DONE]', async () => {
    const response = await raw(`/v1/models/${model}:streamGenerateContent?alt=sse`, ask('hi'));
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    const text = await response.text();
    expect(text).not.toContain('[DONE]');
    expect(text.trim().split('\n\n').every((event) => event.startsWith('data: {'))).toBe(true);
  });

  it('names the tier that served the request in a header and in the usage', async () => {
    const path = `/v1beta/models/${model}:generateContent`;
    const flex = await raw(path, { ...ask('hi'), service_tier: 'flex' });
    expect(flex.headers.get('x-gemini-service-tier')).toBe('flex');
    expect(await flex.json()).toMatchObject({ usageMetadata: { serviceTier: 'flex' } });
    const plain = await raw(path, ask('hi'));
    expect(plain.headers.get('x-gemini-service-tier')).toBe('standard');
  });

  it('refuses like the provider', async () => {
    const path = `/v1beta/models/${model}:generateContent`;
    const badKey = await raw(path, ask('hi'), { 'x-goog-api-key': 'invalid' });
    expect(badKey.status).toBe(400);
    expect(await badKey.json()).toMatchObject({ error: { code: 400, status: 'INVALID_ARGUMENT', details: [{ reason: 'API_KEY_INVALID' }] } });
    expect((await raw(path, ask('hi'), {})).status).toBe(403);
    const empty = await raw(path, {});
    expect(await empty.json()).toMatchObject({ error: { status: 'INVALID_ARGUMENT' } });
    const streamField = await raw(path, { ...ask('hi'), stream: true });
    expect(streamField.status).toBe(400);
    expect(await streamField.text()).toContain('Unknown name');
    await expect(client.models.generateContent({ model: 'nonexistent', contents: 'hi' })).rejects.toBeInstanceOf(ApiError);
    await expect(client.models.generateContent({ model: 'nonexistent', contents: 'hi' })).rejects.toMatchObject({ status: 404 });
  });

  it('lists its models', async () => {
    const names: (string | undefined)[] = [];
    for await (const listed of await client.models.list()) names.push(listed.name);
    expect(names).toContain('models/gemini-3.5-flash');
    expect((await client.models.get({ model })).name).toBe(`models/${model}`);
  });
});
