import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import OpenAI, { APIError, AuthenticationError, BadRequestError, NotFoundError } from 'openai';
import { startSimulator, type Simulator } from '../server.js';

let simulator: Simulator;
let client: OpenAI;

beforeAll(async () => {
  simulator = await startSimulator({ chunkDelayMs: 0 });
  client = new OpenAI({ apiKey: 'sk-test-1234', baseURL: `${simulator.url}/v1`, maxRetries: 0 });
});
afterAll(() => simulator.close());

const user = (content: string) => [{ role: 'user' as const, content }];
const weatherTool = {
  type: 'function' as const,
  function: {
    name: 'get_weather',
    parameters: { type: 'object', properties: { city: { type: 'string' }, days: { type: 'integer' } }, required: ['city'] },
  },
};

async function streamOf(content: string, more: Partial<OpenAI.ChatCompletionCreateParamsStreaming> = {}) {
  const stream = await client.chat.completions.create({ model: 'gpt-5.5', messages: user(content), stream: true, ...more });
  const chunks: OpenAI.ChatCompletionChunk[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

describe('OpenAI chat completions, read by the official SDK', () => {
  it('answers "Reply with OK" with OK and counts it', async () => {
    const completion = await client.chat.completions.create({ model: 'gpt-5.5', messages: user('Reply with OK') });
    expect(completion.choices[0]?.message.content).toBe('OK');
    expect(completion.choices[0]?.finish_reason).toBe('stop');
    expect(completion.usage).toMatchObject({ prompt_tokens: 4, completion_tokens: 1, total_tokens: 5 });
    expect(completion.service_tier).toBe('default');
  });

  it('streams the same text that it gives whole', async () => {
    const whole = await client.chat.completions.create({ model: 'gpt-5.5', messages: user('Tell me about routers') });
    const chunks = await streamOf('Tell me about routers');
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe(whole.choices[0]?.message.content);
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe('stop');
    expect((whole.choices[0]?.message.content ?? '').split('. ').length).toBeGreaterThan(2);
  });

  it('sends the usage chunk only when the request includes it', async () => {
    const without = await streamOf('hello');
    expect(without.every((chunk) => chunk.choices.length === 1 && chunk.usage === undefined)).toBe(true);
    const including = await streamOf('hello', { stream_options: { include_usage: true } });
    expect(including.at(-1)?.choices).toEqual([]);
    expect(including.at(-1)?.usage?.total_tokens).toBeGreaterThan(2);
    expect(including.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true);
  });

  it('puts cached, written and reasoning tokens inside the totals', async () => {
    const asked = 'Reply with OK [[sim: input-tokens=100 cache-read=40 cache-write=8 reasoning-tokens=20 output-tokens=30]]';
    const { usage } = await client.chat.completions.create({ model: 'gpt-5.5', messages: user(asked) });
    expect(usage).toMatchObject({ prompt_tokens: 148, completion_tokens: 50, total_tokens: 198 });
    expect(usage?.prompt_tokens_details).toMatchObject({ cached_tokens: 40, cache_write_tokens: 8 });
    expect(usage?.completion_tokens_details?.reasoning_tokens).toBe(20);
  });

  it.each(['max_tokens', 'max_completion_tokens'])('truncates at %s with the reason length', async (limit) => {
    const completion = await client.chat.completions.create({ model: 'gpt-5.5', messages: user('long [[sim: output-tokens=500]]'), [limit]: 25 });
    expect(completion.choices[0]?.finish_reason).toBe('length');
    expect(completion.choices[0]?.message.content).toHaveLength(100);
    expect(completion.usage?.completion_tokens).toBe(25);
  });

  it.each([true, false])('answers n choices and counts them all (stream: %s)', async (streamed) => {
    const asked = 'three [[sim: output-tokens=10]]';
    if (!streamed) {
      const completion = await client.chat.completions.create({ model: 'gpt-5.5', messages: user(asked), n: 3 });
      expect(completion.choices.map((choice) => choice.index)).toEqual([0, 1, 2]);
      expect(completion.usage?.completion_tokens).toBe(30);
      return;
    }
    const chunks = await streamOf(asked, { n: 3, stream_options: { include_usage: true } });
    expect(new Set(chunks.flatMap((chunk) => chunk.choices.map((choice) => choice.index)))).toEqual(new Set([0, 1, 2]));
    expect(chunks.filter((chunk) => chunk.choices[0]?.finish_reason === 'stop')).toHaveLength(3);
    expect(chunks.at(-1)?.usage?.completion_tokens).toBe(30);
  });

  it('calls the tool that the prompt names, whole and streamed', async () => {
    const request = { model: 'gpt-5.5', messages: user('Please get_weather for me'), tools: [weatherTool] };
    const completion = await client.chat.completions.create(request);
    const [call] = completion.choices[0]?.message.tool_calls ?? [];
    if (call?.type !== 'function') throw new Error('No tool was called.');
    expect(call.function.name).toBe('get_weather');
    expect(JSON.parse(call.function.arguments)).toEqual({ city: expect.any(String), days: expect.any(Number) });
    expect(completion.choices[0]?.finish_reason).toBe('tool_calls');

    const streamed = await client.chat.completions.stream({ ...request, stream_options: { include_usage: true } }).finalChatCompletion();
    expect(streamed.choices[0]?.message.tool_calls?.[0]).toMatchObject({ function: call.function });
    expect(streamed.usage?.completion_tokens).toBe(completion.usage?.completion_tokens);
  });

  it('calls no tool when it is not asked to, when the choice is none, or after a tool has answered', async () => {
    const ask = (content: string, choice: 'auto' | 'none' = 'auto') =>
      client.chat.completions.create({ model: 'gpt-5.5', messages: user(content), tools: [weatherTool], tool_choice: choice });
    expect((await ask('hello')).choices[0]?.message.tool_calls).toBeUndefined();
    expect((await ask('use the tool', 'none')).choices[0]?.message.tool_calls).toBeUndefined();
    expect((await ask('use the tool')).choices[0]?.message.tool_calls).toHaveLength(1);
    const answered = await client.chat.completions.create({
      model: 'gpt-5.5',
      messages: [
        { role: 'assistant', tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'get_weather', arguments: '{}' } }] },
        { role: 'tool', tool_call_id: 'call_1', content: 'get_weather says: sunny' },
      ],
      tools: [weatherTool],
    });
    expect(answered.choices[0]?.message.tool_calls).toBeUndefined();
  });

  it('follows a JSON schema when the response format has one', async () => {
    const schema = { type: 'object', properties: { ok: { type: 'boolean' } }, required: ['ok'], additionalProperties: false };
    const completion = await client.chat.completions.create({
      model: 'gpt-5.5',
      messages: user('in JSON'),
      response_format: { type: 'json_schema', json_schema: { name: 'answer', schema } },
    });
    expect(JSON.parse(completion.choices[0]?.message.content ?? '')).toEqual({ ok: true });
  });

  it('names the tier that served the request', async () => {
    const tierOf = async (tier?: 'auto' | 'flex' | 'priority', content = 'hi') =>
      (await client.chat.completions.create({ model: 'gpt-5.5', messages: user(content), service_tier: tier })).service_tier;
    expect([await tierOf(), await tierOf('auto'), await tierOf('flex'), await tierOf('priority')]).toEqual(['default', 'default', 'flex', 'priority']);
    expect(await tierOf('priority', 'hi [[sim: service-tier=default]]')).toBe('default');
  });

  it('refuses like the provider, so that the SDK raises its typed errors', async () => {
    const withKey = (apiKey: string) => new OpenAI({ apiKey, baseURL: `${simulator.url}/v1`, maxRetries: 0 });
    const request = { model: 'gpt-5.5', messages: user('hi') };
    await expect(withKey('sk-invalid').chat.completions.create(request)).rejects.toMatchObject({ status: 401, code: 'invalid_api_key' });
    await expect(withKey('sk-invalid').chat.completions.create(request)).rejects.toBeInstanceOf(AuthenticationError);
    await expect(client.chat.completions.create({ model: 'gpt-5.5' } as never)).rejects.toMatchObject({ status: 400, param: 'messages' });
    await expect(client.chat.completions.create({ ...request, messages: 'x' } as never)).rejects.toBeInstanceOf(BadRequestError);
    await expect(client.chat.completions.create({ ...request, max_tokens: -1 })).rejects.toMatchObject({ code: 'integer_below_min_value' });
    await expect(client.chat.completions.create({ ...request, model: 'nonexistent' })).rejects.toBeInstanceOf(NotFoundError);
    await expect(client.chat.completions.create({ ...request, stream_options: { include_usage: true } } as never)).rejects.toMatchObject({ status: 400 });
  });

  it('carries the request id and the headers of the provider', async () => {
    const { response, request_id } = await client.chat.completions.create({ model: 'gpt-5.5', messages: user('hi') }).withResponse();
    expect(request_id).toMatch(/^req_/);
    expect(response.headers.get('openai-organization')).toBeTruthy();
    expect(response.headers.get('x-ratelimit-remaining-tokens')).toBeTruthy();
    expect(response.headers.getSetCookie()).toHaveLength(2);
    expect(simulator.truth().at(-1)?.providerRequestId).toBe(request_id);
  });

  it('lists its models and gives one', async () => {
    const { data } = await client.models.list();
    expect(data.map((model) => model.id)).toContain('gpt-5.5');
    expect((await client.models.retrieve('gpt-5.5')).object).toBe('model');
    await expect(client.models.retrieve('gpt-0')).rejects.toBeInstanceOf(NotFoundError);
  });

  it('refuses a directive that it does not know instead of ignoring it', async () => {
    await expect(client.chat.completions.create({ model: 'gpt-5.5', messages: user('[[sim: cut-afer=3]]') })).rejects.toThrow(/cut-afer/);
    await expect(client.chat.completions.create({ model: 'gpt-5.5', messages: user('[[sim: cut-after=x]]') })).rejects.toBeInstanceOf(APIError);
  });
});
