import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import OpenAI, { APIError, AuthenticationError, BadRequestError, InternalServerError, NotFoundError, RateLimitError } from 'openai';
import { Deployment } from '../../fixtures/deployment.js';
import { describeRelay } from './relay.contract.js';

let deployment: Deployment;
let client: OpenAI;

beforeAll(async () => {
  deployment = await Deployment.start();
  client = clientWith(deployment.keys.openai);
});

afterAll(async () => {
  try {
    expect(await deployment.moneyFaults()).toEqual([]);
  } finally {
    await deployment.close();
  }
});

function clientWith(apiKey: string, path = '/v1'): OpenAI {
  return new OpenAI({ apiKey, baseURL: `${deployment.baseUrl}${path}`, maxRetries: 0 });
}

const model = 'gpt-5.5';
const ask = (content: string) => ({ model, messages: [{ role: 'user' as const, content }] });
const weather = {
  type: 'function' as const,
  function: { name: 'get_weather', parameters: { type: 'object', properties: { city: { type: 'string' }, stream: { type: 'boolean' } }, required: ['city'] } },
};

async function chunksOf(request: OpenAI.ChatCompletionCreateParamsStreaming): Promise<OpenAI.ChatCompletionChunk[]> {
  const chunks: OpenAI.ChatCompletionChunk[] = [];
  for await (const chunk of await client.chat.completions.create(request)) chunks.push(chunk);
  return chunks;
}

describe('the openai package', () => {
  it('gets an answer', async () => {
    const completion = await client.chat.completions.create(ask('Reply with OK'));
    expect(completion.choices[0]?.message.content).toBe('OK');
    expect(completion.usage).toMatchObject({ completion_tokens: 1 });
  });

  it('streams the text that it gets whole', async () => {
    const whole = await client.chat.completions.create(ask('Tell me about routers'));
    const chunks = await chunksOf({ ...ask('Tell me about routers'), stream: true });
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe(whole.choices[0]?.message.content);
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe('stop');
  });

  it('gets no usage event that it did not ask for', async () => {
    for (const options of [{}, { stream_options: null }, { stream_options: {} }, { stream_options: { include_usage: false } }]) {
      const chunks = await chunksOf({ ...ask('hello'), stream: true, ...options });
      expect(chunks.filter((chunk) => chunk.choices.length !== 1 || chunk.usage)).toEqual([]);
    }
  });

  it('gets the usage event when it asks for it', async () => {
    const chunks = await chunksOf({ ...ask('hello'), stream: true, stream_options: { include_usage: true } });
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: expect.any(Number) } });
    expect(chunks.slice(0, -1).filter((chunk) => chunk.usage)).toEqual([]);
  });

  it('gets cached, written and reasoning tokens as the provider counts them', async () => {
    const asked = ask('[[sim: input-tokens=100 cache-read=40 cache-write=8 reasoning-tokens=20 output-tokens=30]]');
    const usage = {
      prompt_tokens: 148,
      completion_tokens: 50,
      prompt_tokens_details: { cached_tokens: 40, cache_write_tokens: 8 },
      completion_tokens_details: { reasoning_tokens: 20 },
    };
    expect((await client.chat.completions.create(asked)).usage).toMatchObject(usage);
    expect((await chunksOf({ ...asked, stream: true, stream_options: { include_usage: true } })).at(-1)?.usage).toMatchObject(usage);
  });

  it('calls tools, whole and streamed', async () => {
    const request = { ...ask('Please get_weather for me'), tools: [weather] };
    const [call] = (await client.chat.completions.create(request)).choices[0]?.message.tool_calls ?? [];
    if (call?.type !== 'function') throw new Error('no tool was called');
    expect(call.function.name).toBe('get_weather');
    const streamed = await client.chat.completions.stream(request).finalChatCompletion();
    expect(streamed.choices[0]).toMatchObject({ finish_reason: 'tool_calls', message: { tool_calls: [{ function: call.function }] } });
  });

  it('gets n answers, whole and streamed', async () => {
    const request = { ...ask('three [[sim: output-tokens=10]]'), n: 3 };
    const whole = await client.chat.completions.create(request);
    expect(whole.choices.map(({ index }) => index)).toEqual([0, 1, 2]);
    expect(whole.usage?.completion_tokens).toBe(30);
    const chunks = await chunksOf({ ...request, stream: true });
    expect(chunks.filter((chunk) => chunk.choices[0]?.finish_reason === 'stop').map((chunk) => chunk.choices[0]?.index).sort()).toEqual([0, 1, 2]);
  });

  it('lists models and retrieves one, in the shape of OpenAI', async () => {
    const { data } = await client.models.list();
    expect(data.find(({ id }) => id === model)).toEqual({ id: model, object: 'model', created: expect.any(Number), owned_by: 'openai' });
    expect(data.filter(({ owned_by }) => owned_by !== 'openai')).toEqual([]);
    expect(await client.models.retrieve(model)).toMatchObject({ id: model, object: 'model' });
    await expect(client.models.retrieve('gpt-0')).rejects.toBeInstanceOf(NotFoundError);
  });

  it('works at the root, without /v1', async () => {
    const root = clientWith(deployment.keys.openai, '');
    expect((await root.chat.completions.create(ask('Reply with OK'))).choices[0]?.message.content).toBe('OK');
    expect((await root.models.list()).data.length).toBeGreaterThan(0);
    expect(await root.models.retrieve(model)).toMatchObject({ id: model });
  });

  it('finds the request id of the usage row', async () => {
    const { request_id: requestId } = await client.chat.completions.create(ask('hi')).withResponse();
    expect(await deployment.usageRow(requestId ?? '')).toMatchObject({ status: 200, model });
  });
});

describe('the openai package raises its own error', () => {
  const refused = (request: object) => client.chat.completions.create(request as never).then(() => undefined, (error: unknown) => error);

  it('AuthenticationError for a key that is none', async () => {
    const request = clientWith('sk-wrong').chat.completions.create(ask('hi'));
    await expect(request).rejects.toBeInstanceOf(AuthenticationError);
    await expect(request).rejects.toMatchObject({ status: 401, code: 'invalid_key', type: 'authentication_error', requestID: expect.any(String) });
  });

  it('APIError with status 402 for an empty balance', async () => {
    const { key } = await deployment.product.tenant('0', 'openai');
    const request = clientWith(key).chat.completions.create(ask('hi'));
    await expect(request).rejects.toBeInstanceOf(APIError);
    await expect(request).rejects.toMatchObject({ status: 402, code: 'insufficient_balance', type: 'insufficient_quota' });
  });

  it.each<[string, object, new (...of: never[]) => APIError, object]>([
    ['BadRequestError for a missing field', { messages: [] }, BadRequestError, { status: 400, param: 'model', code: 'invalid_field' }],
    ['BadRequestError for what the provider refuses', { model, messages: [] }, BadRequestError, { status: 400, code: 'empty_array' }],
    ['BadRequestError for a hosted tool', { ...ask('hi'), web_search_options: {} }, BadRequestError, { status: 400, code: 'unpriced_tool' }],
    ['NotFoundError for an unknown model', { ...ask('hi'), model: 'gpt-0' }, NotFoundError, { status: 404, code: 'unknown_model' }],
    ['NotFoundError for a model of another group', { ...ask('hi'), model: 'claude-opus-4-6' }, NotFoundError, { status: 404, code: 'model_of_other_group' }],
    ['RateLimitError when the provider is at its limit', ask('[[sim: status=429 retry-after=7]]'), RateLimitError, { status: 429, code: 'upstream_rate_limited' }],
    ['InternalServerError when the provider fails', ask('[[sim: status=500]]'), InternalServerError, { status: 502, code: 'upstream_failed' }],
    ['InternalServerError when the provider is overloaded', ask('[[sim: status=503]]'), InternalServerError, { status: 503, code: 'upstream_overloaded' }],
  ])('%s', async (_title, request, kind, fields) => {
    const error = await refused(request);
    expect(error).toBeInstanceOf(kind);
    expect(error).toMatchObject(fields);
  });

  // The pauses let the beginning leave: what fails before is told as a whole answer.
  it('APIError in the middle of a stream that the provider breaks off', async () => {
    const seen: string[] = [];
    const read = async () => {
      for await (const chunk of await client.chat.completions.create({ ...ask('[[sim: cut-after=3 chunk-delay-ms=150 output-tokens=40]]'), stream: true })) seen.push(chunk.choices[0]?.delta.content ?? '');
    };
    await expect(read()).rejects.toBeInstanceOf(APIError);
    expect(seen.join('')).not.toBe('');
  });
});

const USAGE_EVENT = /data: \{[^\n]*"choices":\[\],"usage":\{[^\n]*\n\n/;
const odd = (rest: string) => (prompt: string) =>
  `{ "x_unknown" : {"deep":[1e2,-0.0,"\\u00e9\\/ \\ud83d\\ude00"]} ,\n\t"messages":[{"role":"user","content":${JSON.stringify(prompt)},"x_member":null}],"metadata":{"stream":"no"},"max\\u005ftokens": 50${rest}, "model" : "gpt-5.5" }\r\n`;

describeRelay({
  group: 'openai',
  deployment: () => deployment,
  passedOn: { accept: 'application/json', 'openai-beta': 'assistants=v2' },
  keptBack: ['set-cookie', 'openai-organization', 'x-ratelimit-remaining-tokens', 'x-ratelimit-limit-requests'],
  calls: [
    { title: 'a chat completion', path: '/v1/chat/completions', body: odd('') },
    { title: 'a chat completion at the root', path: '/chat/completions', body: odd('') },
    { title: 'a stream with its usage event', path: '/v1/chat/completions', body: odd(',"stream" :true, "stream_options": {"include_usage": true, "x_option":1}') },
    {
      title: 'a stream without usage event',
      path: '/v1/chat/completions',
      body: odd(',"stream":true'),
      upstream: (body) => body.replace('{', '{"stream_options":{"include_usage":true},'),
      answer: (bytes) => bytes.replace(USAGE_EVENT, ''),
    },
    {
      title: 'a stream with usage declined',
      path: '/v1/chat/completions',
      body: odd(',"stream":true,"stream_options":{"include_usage" : false,"include_obfuscation":false}'),
      upstream: (body) => body.replace('"include_usage" : false', '"include_usage" : true'),
      answer: (bytes) => bytes.replace(USAGE_EVENT, ''),
    },
  ],
});
