import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import Anthropic, { AuthenticationError, BadRequestError, NotFoundError } from '@anthropic-ai/sdk';
import { startSimulator, type Simulator } from '../server.js';

let simulator: Simulator;
let client: Anthropic;

beforeAll(async () => {
  simulator = await startSimulator({ chunkDelayMs: 0 });
  client = new Anthropic({ apiKey: 'sk-ant-5678', baseURL: simulator.url, maxRetries: 0 });
});
afterAll(() => simulator.close());

const request = (content: string) => ({ model: 'claude-opus-4-6', max_tokens: 1000, messages: [{ role: 'user' as const, content }] });
const textOf = (message: Anthropic.Message) => message.content.map((block) => (block.type === 'text' ? block.text : '')).join('');
const weatherTool: Anthropic.Tool = {
  name: 'get_weather',
  input_schema: { type: 'object', properties: { city: { type: 'string' }, unit: { type: 'string', enum: ['C', 'F'] } } },
};

describe('Anthropic messages, read by the official SDK', () => {
  it('answers "Reply with OK" with OK and counts it', async () => {
    const message = await client.messages.create(request('Reply with OK'));
    expect(textOf(message)).toBe('OK');
    expect(message.stop_reason).toBe('end_turn');
    expect(message.usage).toMatchObject({ input_tokens: 4, output_tokens: 1, service_tier: 'standard' });
  });

  it('streams the same message that it gives whole', async () => {
    const whole = await client.messages.create(request('Tell me about routers'));
    const streamed = await client.messages.stream(request('Tell me about routers')).finalMessage();
    expect(textOf(streamed)).toBe(textOf(whole));
    expect(streamed.usage).toMatchObject(whole.usage);
    expect(streamed.stop_reason).toBe('end_turn');
  });

  it('streams the events in the documented order, each named in its event line', async () => {
    const response = await client.messages.create({ ...request('Reply with OK'), stream: true }).asResponse();
    const lines = (await response.text()).split('\n').filter(Boolean);
    const names = lines.filter((line) => line.startsWith('event: ')).map((line) => line.slice(7));
    expect(names).toEqual([
      'message_start', 'content_block_start', 'ping', 'content_block_delta', 'content_block_stop', 'message_delta', 'message_stop',
    ]);
    const types = lines.filter((line) => line.startsWith('data: ')).map((line) => (JSON.parse(line.slice(6)) as { type: string }).type);
    expect(types).toEqual(names);
  });

  it('keeps the cache classes beside input_tokens and splits writes by lifetime in the first event', async () => {
    const asked = request('[[sim: input-tokens=50 cache-read=30 cache-write=7 cache-write-1h=9 output-tokens=12]]');
    const events: Anthropic.RawMessageStreamEvent[] = [];
    for await (const event of await client.messages.create({ ...asked, stream: true })) events.push(event);
    const [first] = events;
    if (first?.type !== 'message_start') throw new Error('The first event is not message_start.');
    expect(first.message.usage).toMatchObject({
      input_tokens: 50,
      cache_read_input_tokens: 30,
      cache_creation_input_tokens: 16,
      cache_creation: { ephemeral_5m_input_tokens: 7, ephemeral_1h_input_tokens: 9 },
      output_tokens: 1,
    });
    const delta = events.find((event) => event.type === 'message_delta');
    expect(delta?.usage).toMatchObject({ input_tokens: 50, cache_read_input_tokens: 30, cache_creation_input_tokens: 16, output_tokens: 12 });
    expect((await client.messages.create(asked)).usage.cache_creation).toEqual({ ephemeral_5m_input_tokens: 7, ephemeral_1h_input_tokens: 9 });
  });

  it('shows thinking only when the request turns it on, and counts it in output_tokens either way', async () => {
    const asked = request('[[sim: reasoning-tokens=40 output-tokens=10]]');
    const hidden = await client.messages.create(asked);
    expect(hidden.content.map((block) => block.type)).toEqual(['text']);
    expect(hidden.usage).toMatchObject({ output_tokens: 50, output_tokens_details: { thinking_tokens: 40 } });
    const thinking = { type: 'adaptive' as const };
    const shown = await client.messages.stream({ ...asked, max_tokens: 2000, thinking }).finalMessage();
    expect(shown.content.map((block) => block.type)).toEqual(['thinking', 'text']);
    expect(shown.content[0]).toMatchObject({ signature: expect.stringMatching(/.+/) });
    expect(shown.usage.output_tokens).toBe(50);
    expect(simulator.truth().at(-1)?.tokens).toMatchObject({ output: 10, reasoning: 40 });
  });

  it('truncates at max_tokens', async () => {
    const message = await client.messages.create({ ...request('[[sim: output-tokens=500]]'), max_tokens: 20 });
    expect(message.stop_reason).toBe('max_tokens');
    expect(message.usage.output_tokens).toBe(20);
    expect(textOf(message)).toHaveLength(80);
  });

  it('calls the tool that the prompt asks for, whole and streamed', async () => {
    const asked = { ...request('Use the tool, please'), tools: [weatherTool] };
    const message = await client.messages.create(asked);
    const call = message.content.find((block) => block.type === 'tool_use');
    expect(call).toMatchObject({ name: 'get_weather', input: { city: expect.any(String), unit: expect.stringMatching(/^[CF]$/) } });
    expect(message.stop_reason).toBe('tool_use');
    const streamed = await client.messages.stream(asked).finalMessage();
    expect(streamed.content).toEqual(message.content);
    expect(streamed.usage.output_tokens).toBe(message.usage.output_tokens);
    expect(simulator.truth().at(-1)?.tokens.output).toBe(message.usage.output_tokens);
  });

  it('refuses like the provider, so that the SDK raises its typed errors', async () => {
    const badKey = new Anthropic({ apiKey: 'sk-invalid', baseURL: simulator.url, maxRetries: 0 });
    await expect(badKey.messages.create(request('hi'))).rejects.toBeInstanceOf(AuthenticationError);
    await expect(client.messages.create({ ...request('hi'), max_tokens: undefined } as never)).rejects.toThrow(/max_tokens: Field required/);
    await expect(client.messages.create({ ...request('hi'), messages: [] })).rejects.toBeInstanceOf(BadRequestError);
    await expect(client.messages.create({ ...request('hi'), model: 'nonexistent' })).rejects.toBeInstanceOf(NotFoundError);
    const withoutVersion = await fetch(`${simulator.url}/v1/messages`, {
      method: 'POST',
      headers: { 'x-api-key': 'k' },
      body: JSON.stringify(request('hi')),
    });
    expect(withoutVersion.status).toBe(400);
    expect(await withoutVersion.json()).toMatchObject({ type: 'error', error: { type: 'invalid_request_error', message: 'anthropic-version: header is required' } });
  });

  it('accepts a bearer token in place of the key', async () => {
    const bearer = new Anthropic({ apiKey: null, authToken: 'oat-9999', baseURL: simulator.url, maxRetries: 0 });
    await bearer.messages.create(request('Reply with OK'));
    expect(simulator.truth().at(-1)?.credential).toBe('9999');
  });

  it('carries the request id and the headers of the provider', async () => {
    const { response, request_id } = await client.messages.create(request('hi')).withResponse();
    expect(request_id).toBe(simulator.truth().at(-1)?.providerRequestId);
    for (const name of ['anthropic-organization-id', 'anthropic-ratelimit-input-tokens-remaining', 'set-cookie']) {
      expect(response.headers.get(name)).toBeTruthy();
    }
  });

  it('lists its models', async () => {
    const page = await client.models.list();
    expect(page.data.map((model) => model.id)).toContain('claude-opus-4-6');
    expect((await client.models.retrieve('claude-opus-4-6')).type).toBe('model');
  });
});
