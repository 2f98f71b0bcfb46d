import Anthropic, { APIError, AuthenticationError, BadRequestError, InternalServerError, NotFoundError, RateLimitError } from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Deployment } from '../../fixtures/deployment.js';
import { describeRelay } from './relay.contract.js';

let deployment: Deployment;
let client: Anthropic;

beforeAll(async () => {
  deployment = await Deployment.start();
  client = clientWith({ apiKey: deployment.keys.anthropic });
});

afterAll(async () => {
  try {
    expect(await deployment.moneyFaults()).toEqual([]);
  } finally {
    await deployment.close();
  }
});

function clientWith(credential: { apiKey: string | null; authToken?: string }): Anthropic {
  return new Anthropic({ ...credential, baseURL: deployment.baseUrl, maxRetries: 0 });
}

const model = 'claude-opus-4-6';
const ask = (content: string) => ({ model, max_tokens: 1000, messages: [{ role: 'user' as const, content }] });
const textOf = (message: Anthropic.Message) => message.content.map((block) => (block.type === 'text' ? block.text : '')).join('');
const weather: Anthropic.Tool = { name: 'get_weather', input_schema: { type: 'object', properties: { city: { type: 'string' }, max_tokens: { type: 'integer' } } } };

describe('the @anthropic-ai/sdk package', () => {
  it('gets a message, with x-api-key and as a bearer', async () => {
    expect(textOf(await client.messages.create(ask('Reply with OK')))).toBe('OK');
    const bearer = clientWith({ apiKey: null, authToken: deployment.keys.anthropic });
    expect(textOf(await bearer.messages.create(ask('Reply with OK')))).toBe('OK');
  });

  it('streams the message that it gets whole', async () => {
    const whole = await client.messages.create(ask('Tell me about routers'));
    const streamed = await client.messages.stream(ask('Tell me about routers')).finalMessage();
    expect(textOf(streamed)).toBe(textOf(whole));
    expect(streamed).toMatchObject({ stop_reason: 'end_turn', usage: { output_tokens: whole.usage.output_tokens } });
  });

  it('gets the cache classes and thinking as the provider counts them', async () => {
    const asked = ask('[[sim: input-tokens=50 cache-read=30 cache-write=7 cache-write-1h=9 reasoning-tokens=40 output-tokens=12]]');
    const usage = {
      input_tokens: 50,
      cache_read_input_tokens: 30,
      cache_creation_input_tokens: 16,
      output_tokens: 52,
    };
    expect((await client.messages.create(asked)).usage).toMatchObject({ ...usage, cache_creation: { ephemeral_5m_input_tokens: 7, ephemeral_1h_input_tokens: 9 } });
    expect((await client.messages.stream(asked).finalMessage()).usage).toMatchObject(usage);
  });

  it('gets thinking, whole and streamed', async () => {
    const asked = { ...ask('[[sim: reasoning-tokens=20 output-tokens=10]]'), thinking: { type: 'adaptive' as const } };
    expect((await client.messages.create(asked)).content.map(({ type }) => type)).toEqual(['thinking', 'text']);
    expect((await client.messages.stream(asked).finalMessage()).content.map(({ type }) => type)).toEqual(['thinking', 'text']);
  });

  it('calls tools, whole and streamed', async () => {
    const asked = { ...ask('Use the tool, please'), tools: [weather] };
    const message = await client.messages.create(asked);
    expect(message).toMatchObject({ stop_reason: 'tool_use', content: [{ type: 'tool_use', name: 'get_weather', input: { city: expect.any(String) } }] });
    expect((await client.messages.stream(asked).finalMessage()).content).toEqual(message.content);
  });

  it('lists models and retrieves one, in the shape of Anthropic', async () => {
    const page = await client.models.list();
    const found = page.data.find(({ id }) => id === model);
    expect(found).toMatchObject({ type: 'model', id: model, display_name: expect.any(String), created_at: expect.stringMatching(/^\d{4}-\d{2}-\d{2}T/) });
    expect([page.has_more, page.first_id, page.last_id]).toEqual([false, page.data[0]?.id, page.data.at(-1)?.id]);
    expect(await client.models.retrieve(model)).toMatchObject({ type: 'model', id: model });
    await expect(client.models.retrieve('claude-0')).rejects.toBeInstanceOf(NotFoundError);
  });

  it('finds the request id of the usage row', async () => {
    const message = await client.messages.create(ask('hi'));
    expect(await deployment.usageRow(message._request_id ?? '')).toMatchObject({ status: 200, model });
  });
});

describe('the @anthropic-ai/sdk package raises its own error', () => {
  const refused = (request: object) => client.messages.create(request as never).then(() => undefined, (error: unknown) => error);

  it('AuthenticationError for a key that is none', async () => {
    const request = clientWith({ apiKey: 'sk-wrong' }).messages.create(ask('hi'));
    await expect(request).rejects.toBeInstanceOf(AuthenticationError);
    await expect(request).rejects.toMatchObject({ status: 401, type: 'authentication_error', requestID: expect.stringMatching(/-7/) });
  });

  it('APIError with status 402 for an empty balance', async () => {
    const { key } = await deployment.product.tenant('0', 'anthropic');
    const request = clientWith({ apiKey: key }).messages.create(ask('hi'));
    await expect(request).rejects.toBeInstanceOf(APIError);
    await expect(request).rejects.toMatchObject({ status: 402, type: 'billing_error' });
  });

  it.each<[string, object, new (...of: never[]) => APIError, object]>([
    ['BadRequestError for a wrong type', { ...ask('hi'), max_tokens: '5' }, BadRequestError, { status: 400, message: expect.stringContaining('max_tokens') }],
    ['BadRequestError for what the provider refuses', { ...ask('hi'), messages: [] }, BadRequestError, { status: 400 }],
    ['BadRequestError for a hosted tool without a price', { ...ask('hi'), tools: [{ type: 'code_execution_20250825', name: 'code_execution' }] }, BadRequestError, { status: 400, message: expect.stringContaining('code_execution_20250825') }],
    ['NotFoundError for an unknown model', { ...ask('hi'), model: 'claude-0' }, NotFoundError, { status: 404, type: 'not_found_error' }],
    ['NotFoundError for a model of another group', { ...ask('hi'), model: 'gpt-5.5' }, NotFoundError, { status: 404, error: { error: { message: expect.stringContaining('"openai"') } } }],
    ['RateLimitError when the provider is at its limit', ask('[[sim: status=429]]'), RateLimitError, { status: 429, type: 'rate_limit_error' }],
    ['InternalServerError when the provider fails', ask('[[sim: status=500]]'), InternalServerError, { status: 502, type: 'api_error' }],
    ['InternalServerError when the provider is overloaded', ask('[[sim: status=529]]'), InternalServerError, { status: 503, type: 'overloaded_error' }],
  ])('%s', async (_title, request, kind, fields) => {
    const error = await refused(request);
    expect(error).toBeInstanceOf(kind);
    expect(error).toMatchObject(fields);
  });

  // The pauses let the beginning leave: what fails before is told as a whole answer.
  it('APIError in the middle of a stream that the provider breaks off', async () => {
    const seen: string[] = [];
    const stream = client.messages.stream(ask('[[sim: cut-after=3 chunk-delay-ms=150 output-tokens=40]]')).on('text', (text) => seen.push(text));
    await expect(stream.finalMessage()).rejects.toBeInstanceOf(APIError);
    expect(seen.join('')).not.toBe('');
  });
});

const odd = (rest: string) => (prompt: string) =>
  `{ "x_unknown" : {"deep":[1e2,-0.0,"\\u00e9\\/"]} ,\n\t"messages":[{"role":"user","content":[{"type":"text","text":${JSON.stringify(prompt)},"x_member":null}]}],"metadata":{"stream":"no"},"max_tokens": 50${rest}, "mod\\u0065l" : "claude-opus-4-6" }\r\n`;

describeRelay({
  group: 'anthropic',
  deployment: () => deployment,
  passedOn: { 'anthropic-version': '2023-06-01', 'anthropic-beta': 'context-1m-2025-08-07', accept: 'application/json' },
  keptBack: ['set-cookie', 'anthropic-organization-id', 'anthropic-ratelimit-tokens-remaining', 'request-id'],
  calls: [
    { title: 'a message', path: '/v1/messages', body: odd('') },
    { title: 'a message at the root', path: '/messages', body: odd('') },
    { title: 'a message of the beta client', path: '/v1/messages?beta=true', body: odd('') },
    { title: 'a stream', path: '/v1/messages', body: odd(',"stream" :true') },
  ],
});
