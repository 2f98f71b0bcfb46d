import { describe, expect, it } from '@jest/globals';
import type { AnswerFraming, Dialect } from '../dialect.js';
import { noTokens } from '../token-usage.js';
import type { AnswerScanner, AnswerScannerOptions } from './answer-scanner.js';
import { scanAnswer } from './scan-answer.js';

function scanner(dialect: Dialect, framing: AnswerFraming, extra: Partial<AnswerScannerOptions> = {}): AnswerScanner {
  return scanAnswer({ dialect, framing, removeUsageEvent: false, ...extra });
}

/** Pushes each text as one read; returns what went out at once. */
function push(scan: AnswerScanner, ...reads: string[]): string {
  for (const read of reads) {
    scan.push(Buffer.from(read));
  }
  return Buffer.concat(scan.takeReady()).toString();
}

const held = (scan: AnswerScanner): string => Buffer.concat(scan.takeHeld()).toString();

const chunk = (members: object): string =>
  `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'gpt-5', ...members })}\n\n`;
const delta = (content: object, finish: string | null = null): string =>
  chunk({ service_tier: 'default', choices: [{ index: 0, delta: content, logprobs: null, finish_reason: finish }], usage: null });
const usageChunk = chunk({
  service_tier: 'default',
  choices: [],
  usage: { prompt_tokens: 19, completion_tokens: 10, total_tokens: 29 },
});
const DONE = 'data: [DONE]\n\n';

const named = (type: string, members: object = {}): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...members })}\n\n`;
const messageStart = named('message_start', {
  message: {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    content: [],
    usage: { input_tokens: 25, cache_read_input_tokens: 7, output_tokens: 1, service_tier: 'standard' },
  },
});
const messageDelta = named('message_delta', {
  delta: { stop_reason: 'end_turn', stop_sequence: null },
  usage: { output_tokens: 15, server_tool_use: { web_search_requests: 2 } },
});
const messageStop = named('message_stop');

const gemini = (members: object): object => ({ ...members, modelVersion: 'gemini-2.5-flash', responseId: 'resp-1' });
const geminiText = (text: string, finishReason?: string): object =>
  gemini({
    candidates: [{ content: { parts: [{ text }], role: 'model' }, finishReason, index: 0 }],
    usageMetadata: { promptTokenCount: 4, candidatesTokenCount: text.length, totalTokenCount: 4 + text.length },
  });
const event = (data: object): string => `data: ${JSON.stringify(data)}\r\n\r\n`;

describe('an OpenAI chat stream', () => {
  it('passes a read of whole events on as the same buffer', () => {
    const scan = scanner('openai-chat', 'sse');
    const read = Buffer.from(delta({ role: 'assistant', content: '' }) + delta({ content: 'Hi' }));
    scan.push(read);
    const ready = scan.takeReady();
    expect(ready).toHaveLength(1);
    expect(ready[0]).toBe(read);
  });

  it('holds back [DONE] and all behind it, and is complete with it', () => {
    const scan = scanner('openai-chat', 'sse');
    const before = delta({ content: 'Hi' }) + delta({}, 'stop') + usageChunk;
    expect(push(scan, before + DONE + ': bye\n\n')).toBe(before);
    expect(scan).toMatchObject({ terminal: true, complete: true, errored: false, answerId: 'chatcmpl-1' });
    expect(held(scan)).toBe(`${DONE}: bye\n\n`);
    expect(scan.usage).toEqual({
      tokens: { ...noTokens(), input: 19, output: 10 },
      raw: '{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29}',
      final: true,
      serviceTier: 'default',
      units: {},
      odd: false,
    });
  });

  it('lets a partial event go as soon as it cannot be [DONE]', () => {
    const scan = scanner('openai-chat', 'sse');
    expect(push(scan, 'data')).toBe('');
    expect(push(scan, ': ')).toBe('');
    expect(push(scan, '{"choices":[{"delta":{"content":"a')).toBe('data: {"choices":[{"delta":{"content":"a');
    expect(scan.outputTextBytes).toBe(1);
    expect(push(scan, 'bc"}}]}\n\nda', 'ta: [DO')).toBe('bc"}}]}\n\n');
    expect(scan.outputTextBytes).toBe(3);
    expect(push(scan, 'NE]\n\n')).toBe('');
    expect(held(scan)).toBe(DONE);
    expect(scan.complete).toBe(true);
  });

  it('removes exactly the usage event that the client had not asked for', () => {
    const scan = scanner('openai-chat', 'sse', { removeUsageEvent: true });
    const azure = chunk({ choices: [], prompt_filter_results: [] });
    const kept = azure + delta({ content: 'Hi' }) + delta({}, 'stop');
    expect(push(scan, `${kept}: ping\n${usageChunk}: pong\n\n${DONE}`)).toBe(`${kept}: ping\n: pong\n\n`);
    expect(held(scan)).toBe(DONE);
    expect(scan.usage!.tokens).toMatchObject({ input: 19, output: 10 });
  });

  it('keeps usage that stands beside a choice', () => {
    const scan = scanner('openai-chat', 'sse', { removeUsageEvent: true });
    const last = chunk({
      choices: [{ index: 0, delta: {}, finish_reason: 'stop' }],
      usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
    });
    expect(push(scan, last)).toBe(last);
    expect(scan.usage).toMatchObject({ final: true, tokens: { input: 1, output: 2 } });
  });

  it('holds a partial event that may have to be removed until its choices are known', () => {
    const scan = scanner('openai-chat', 'sse', { removeUsageEvent: true });
    expect(push(scan, 'data: {"id":"x","choices":[')).toBe('');
    expect(push(scan, '{"delta":')).toBe('data: {"id":"x","choices":[{"delta":');
    push(scan, '{}}]}\n\n');
    expect(push(scan, usageChunk.slice(0, -1))).toBe('');
    expect(push(scan, usageChunk.slice(-1) + delta({ content: 'x' }))).toBe(delta({ content: 'x' }));
  });

  it('removes the line feed of a blank line that was cut behind its carriage return', () => {
    const scan = scanner('openai-chat', 'sse', { removeUsageEvent: true });
    const crlf = usageChunk.replaceAll('\n', '\r\n');
    expect(push(scan, crlf.slice(0, -1), crlf.slice(-1), delta({ content: 'x' }))).toBe(delta({ content: 'x' }));
    expect(held(scan)).toBe('');
  });

  it('does not call usage final that an upstream repeats while it writes', () => {
    const scan = scanner('openai-chat', 'sse');
    push(scan, chunk({ choices: [{ delta: { content: 'a' } }], usage: { prompt_tokens: 5, completion_tokens: 1 } }));
    expect(scan.usage).toMatchObject({ final: false, tokens: { input: 5, output: 1 } });
  });

  it('counts text, refusals, reasoning and tool calls, and reasoning that comes twice only once', () => {
    const scan = scanner('openai-chat', 'sse');
    push(scan, delta({ content: 'é"\n' }), delta({ refusal: 'no' }), delta({ reasoning_content: 'abc', reasoning: 'abc' }));
    expect(scan.outputTextBytes).toBe(4 + 2 + 3);
    push(scan, delta({ tool_calls: [{ index: 0, id: 'call_1', function: { name: 'f', arguments: '{"a":1}' } }] }));
    expect(scan.outputTextBytes).toBe(9 + 1 + 7);
    push(scan, delta({ audio: { data: 'QUJD'.repeat(100), transcript: 'hello' } }));
    expect(scan.outputTextBytes).toBe(17 + 5);
  });

  it.each([
    ['an error object', 'data: {"error":{"message":"The server had an error","type":"server_error"}}\n\n', true],
    ['an error event', 'event: error\ndata: {"message":"x"}\n\n', true],
    ['error: null', chunk({ error: null, choices: [{ delta: { content: 'x' } }] }), false],
    ['an error in the text', delta({ content: '{"error":{}}' }), false],
  ])('sees %s', (_name, text, errored) => {
    const scan = scanner('openai-chat', 'sse');
    expect(push(scan, text)).toBe(text);
    expect(scan).toMatchObject({ errored, terminal: false, complete: false });
  });

  it('does not mistake the model for the protocol', () => {
    const scan = scanner('openai-chat', 'sse');
    const text = delta({ content: 'data: [DONE]\n\n' }) + delta({ content: '"usage":{"prompt_tokens":1}' });
    expect(push(scan, text)).toBe(text);
    expect(scan).toMatchObject({ terminal: false, usage: undefined });
  });

  it('lets comments pass at once', () => {
    const scan = scanner('openai-chat', 'sse');
    expect(push(scan, ': OPENROUTER PROCESSING\n')).toBe(': OPENROUTER PROCESSING\n');
  });

  it('takes a [DONE] without its blank line for the end only when the upstream ends cleanly', () => {
    const scan = scanner('openai-chat', 'sse');
    push(scan, delta({ content: 'x' }), 'data: [DONE]\n');
    expect(scan).toMatchObject({ terminal: true, complete: false });
    scan.end();
    expect(scan.complete).toBe(true);
    expect(held(scan)).toBe('data: [DONE]\n');
  });

  it('is not complete at a clean end without [DONE]', () => {
    const scan = scanner('openai-chat', 'sse');
    push(scan, delta({ content: 'x' }) + delta({}, 'stop'));
    scan.end();
    expect(scan.complete).toBe(false);
  });

  it('reads an event whose data has several lines, behind a byte order mark', () => {
    const scan = scanner('openai-chat', 'sse');
    const text = '\ufeffdata: {"choices":[{"delta":\ndata:{"content":"abc"}}],\rid: 7\r\ndata: "id":"x"}\n\n';
    expect(push(scan, text)).toBe(text);
    expect(scan).toMatchObject({ outputTextBytes: 3, answerId: 'x' });
  });
});

describe('an Anthropic stream', () => {
  const text = (value: string): string =>
    named('content_block_delta', { index: 0, delta: { type: 'text_delta', text: value } });

  it('merges the usage of message_start and message_delta and holds message_stop', () => {
    const scan = scanner('anthropic-messages', 'sse');
    const before = messageStart + named('ping') + text('Hello');
    expect(push(scan, before)).toBe(before);
    expect(scan.usage).toMatchObject({ final: false, tokens: { input: 25, cacheRead: 7, output: 1 } });
    expect(push(scan, messageDelta + messageStop)).toBe(messageDelta);
    expect(held(scan)).toBe(messageStop);
    expect(scan).toMatchObject({ complete: true, answerId: 'msg_1', outputTextBytes: 5 });
    expect(scan.usage).toMatchObject({
      final: true,
      tokens: { ...noTokens(), input: 25, cacheRead: 7, output: 15 },
      units: { web_search: 2 },
      serviceTier: 'standard',
    });
  });

  it('judges a partial event by its event line, and by its type when there is none', () => {
    const scan = scanner('anthropic-messages', 'sse');
    expect(push(scan, 'event: content_block_delta')).toBe('');
    expect(push(scan, '\nda')).toBe('event: content_block_delta\nda');
    push(scan, 'ta: {}\n\n');
    expect(push(scan, 'data: {"type":"pi')).toBe('');
    expect(push(scan, 'ng"}\n\n')).toBe('data: {"type":"ping"}\n\n');
    expect(push(scan, 'data: {"type":"message_stop"}\n\n')).toBe('');
    expect(scan.complete).toBe(true);
  });

  it('counts text, thinking and tool input', () => {
    const scan = scanner('anthropic-messages', 'sse');
    const block = (value: object): string => named('content_block_delta', { index: 1, delta: value });
    push(
      scan,
      named('content_block_start', { index: 1, content_block: { type: 'tool_use', id: 't', name: 'run', input: {} } }),
      block({ type: 'input_json_delta', partial_json: '{"a":' }),
      block({ type: 'thinking_delta', thinking: 'hm' }),
      block({ type: 'signature_delta', signature: 'EqQBCgIYAhIM' }),
      text('ok'),
    );
    expect(scan.outputTextBytes).toBe(3 + 5 + 2 + 2);
  });

  it('sees an error event', () => {
    const scan = scanner('anthropic-messages', 'sse');
    const error = named('error', { error: { type: 'overloaded_error', message: 'Overloaded' } });
    expect(push(scan, error)).toBe(error);
    expect(scan).toMatchObject({ errored: true, terminal: false });
  });
});

describe.each(['sse', 'json-array'] as const)('a Gemini stream framed as %s', (framing) => {
  const frame = (parts: object[]): string[] =>
    framing === 'sse'
      ? [...parts.map(event), '']
      : [...parts.map((part, index) => (index === 0 ? '[' : ',\r\n') + JSON.stringify(part, undefined, 2)), '\n]\n'];

  it('holds everything from the finishReason to the end', () => {
    const [first, second, behind] = frame([geminiText('Hello'), geminiText('!', 'STOP')]);
    const scan = scanner('gemini-content', framing);
    expect(push(scan, first! + second!.slice(0, -20))).toBe(first);
    expect(push(scan, second!.slice(-20), behind!)).toBe('');
    expect(scan).toMatchObject({ terminal: true, complete: false, answerId: 'resp-1', outputTextBytes: 6 });
    scan.end();
    expect(scan.complete).toBe(true);
    expect(held(scan)).toBe(second! + behind!);
    expect(scan.usage).toMatchObject({ final: true, tokens: { input: 4, output: 1 } });
  });

  it('takes the last usage, also one behind the finishReason', () => {
    const late = gemini({ usageMetadata: { promptTokenCount: 4, candidatesTokenCount: 9, thoughtsTokenCount: 2 } });
    const scan = scanner('gemini-content', framing);
    push(scan, frame([geminiText('Hello')])[0]!);
    expect(scan.usage).toMatchObject({ final: false });
    const again = scanner('gemini-content', framing);
    const [last, behind] = frame([geminiText('Hello', 'MAX_TOKENS'), late]);
    expect(push(again, last!, behind!)).toBe('');
    expect(again.usage).toMatchObject({ final: true, tokens: { output: 9, reasoning: 2 } });
    expect(again.terminal).toBe(true);
  });

  it('takes a blocked prompt for the end', () => {
    const blocked = gemini({ promptFeedback: { blockReason: 'SAFETY' }, usageMetadata: { promptTokenCount: 4 } });
    const scan = scanner('gemini-content', framing);
    expect(push(scan, frame([blocked]).join(''))).toBe('');
    scan.end();
    expect(scan).toMatchObject({ terminal: true, complete: true });
  });

  it('sees an error', () => {
    const scan = scanner('gemini-content', framing);
    push(scan, frame([{ error: { code: 503, message: 'overloaded', status: 'UNAVAILABLE' } }])[0]!);
    expect(scan).toMatchObject({ errored: true, terminal: false });
  });

  it('counts text, thoughts and function calls, not media', () => {
    const parts = [
      { text: 'plan', thought: true, thoughtSignature: 'QUJD' },
      { functionCall: { name: 'run', args: { a: [1, 'x'] } } },
      { inlineData: { mimeType: 'image/png', data: 'QUJD'.repeat(1000) } },
    ];
    const scan = scanner('gemini-content', framing);
    push(scan, frame([{ candidates: [{ content: { parts } }] }])[0]!);
    expect(scan.outputTextBytes).toBe(4 + 3 + '{"a":[1,"x"]}'.length);
  });

  it('relays an element above 1 MiB without waiting for its end', () => {
    const scan = scanner('gemini-content', framing);
    const [whole] = frame([geminiText('x'.repeat(1_100_000))]);
    expect(push(scan, whole!.slice(0, 1_060_000))).toBe(whole!.slice(0, 1_060_000));
    expect(scan.oversized).toBe(true);
    expect(push(scan, whole!.slice(1_060_000))).toBe(whole!.slice(1_060_000));
    expect(scan.outputTextBytes).toBe(1_100_000);
  });
});

describe('a JSON document', () => {
  const openai = (content: string): string =>
    JSON.stringify({
      id: 'chatcmpl-2',
      object: 'chat.completion',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content, refusal: null, tool_calls: [{ function: { name: 'f', arguments: '{}' } }] },
          finish_reason: 'stop',
        },
      ],
      usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 },
      service_tier: 'flex',
    });

  it('is held whole up to 256 KiB and complete at a clean end', () => {
    const scan = scanner('openai-chat', 'json');
    const text = openai('Hi');
    expect(push(scan, text.slice(0, 50), text.slice(50), '\n')).toBe('');
    expect(scan).toMatchObject({ terminal: true, complete: false, answerId: 'chatcmpl-2', outputTextBytes: 5 });
    scan.end();
    expect(scan.complete).toBe(true);
    expect(held(scan)).toBe(`${text}\n`);
    expect(scan.usage).toMatchObject({ final: true, serviceTier: 'flex', tokens: { input: 3, output: 4 } });
  });

  it('goes out but for its last read when it is longer, and from its closing bracket on not at all', () => {
    const scan = scanner('openai-chat', 'json');
    const text = openai('é\n'.repeat(150_000));
    expect(push(scan, text.slice(0, 200_000))).toBe('');
    expect(push(scan, text.slice(200_000, 290_000))).toBe(text.slice(0, 200_000));
    expect(push(scan, text.slice(290_000))).toBe(text.slice(200_000, 290_000));
    expect(push(scan, '\n', '\n')).toBe('');
    scan.end();
    expect(scan).toMatchObject({ complete: true, outputTextBytes: 450_000 + 3, usage: { tokens: { output: 4 } } });
    expect(held(scan)).toBe(`${text.slice(290_000)}\n\n`);
  });

  it('is not complete when it is cut off, but its usage counts', () => {
    const scan = scanner('openai-chat', 'json');
    push(scan, openai('Hi').slice(0, -1));
    scan.end();
    expect(scan).toMatchObject({ complete: false, usage: { final: true } });
  });

  it('is read in Anthropic’s shape', () => {
    const scan = scanner('anthropic-messages', 'json');
    push(
      scan,
      JSON.stringify({
        id: 'msg_2',
        type: 'message',
        content: [
          { type: 'thinking', thinking: 'hm', signature: 'QUJD' },
          { type: 'text', text: 'ok', citations: null },
          { type: 'tool_use', id: 't', name: 'run', input: { a: 'x' } },
        ],
        usage: { input_tokens: 5, output_tokens: 6, service_tier: 'priority' },
      }),
    );
    scan.end();
    expect(scan).toMatchObject({ complete: true, answerId: 'msg_2', outputTextBytes: 2 + 2 + 3 + '{"a":"x"}'.length });
    expect(scan.usage).toMatchObject({ final: true, serviceTier: 'priority', tokens: { input: 5, output: 6 } });
  });

  it('is read in Gemini’s shape', () => {
    const scan = scanner('gemini-content', 'json');
    push(scan, JSON.stringify(geminiText('Hello', 'STOP'), undefined, 2));
    scan.end();
    expect(scan).toMatchObject({ complete: true, answerId: 'resp-1', outputTextBytes: 5 });
    expect(scan.usage).toMatchObject({ final: true, tokens: { input: 4, output: 5 } });
  });

  it.each([['<html>busy</html>'], ['{"id":"x"} trailing'], ['"text"'], ['{"id":']])('is not complete: %s', (text) => {
    const scan = scanner('openai-chat', 'json');
    push(scan, text);
    scan.end();
    expect(scan.complete).toBe(false);
    expect(held(scan)).toBe(text);
  });
});
