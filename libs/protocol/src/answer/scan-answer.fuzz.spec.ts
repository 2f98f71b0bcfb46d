import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { noTokens, type TokenUsage } from '../token-usage.js';
import type { AnswerScanner, AnswerScannerOptions } from './answer-scanner.js';
import { scanAnswer } from './scan-answer.js';

interface Fixture {
  title: string;
  options: AnswerScannerOptions;
  bytes: Buffer;
  /** What the client gets in all: the bytes but for a removed event. */
  relayed: Buffer;
  /** Offset in `relayed` where the terminal unit begins. */
  terminalAt: number;
  /** Offset in `bytes` behind which the terminal unit is whole. */
  wholeAt: number;
  outputTextBytes: number;
  tokens: Partial<TokenUsage>;
}

/** Text with everything that framing could trip over. */
const TEXT =
  'Grüße, 世界 😀 "quoted", a run of plain text that is longer than the loop reads \\ data: [DONE] \n\n event: message_stop {"usage":{"prompt_tokens":1}}\t';
const TEXT_BYTES = Buffer.byteLength(TEXT);

function fixture(
  title: string,
  options: Partial<AnswerScannerOptions>,
  parts: { before: string; removed?: string; between?: string; terminal: string; behind?: string; texts: number; tokens: Partial<TokenUsage> },
): Fixture {
  const { before, removed = '', between = '', terminal, behind = '', texts, tokens } = parts;
  const front = Buffer.from(before + between);
  return {
    title,
    options: { dialect: 'openai-chat', framing: 'sse', removeUsageEvent: removed !== '', ...options },
    bytes: Buffer.from(before + removed + between + terminal + behind),
    relayed: Buffer.concat([front, Buffer.from(terminal + behind)]),
    terminalAt: front.length,
    wholeAt: Buffer.byteLength(before + removed + between + terminal),
    outputTextBytes: texts * TEXT_BYTES,
    tokens,
  };
}

function openai(end: string, removed: boolean): Fixture {
  const data = (value: object): string => `data: ${JSON.stringify(value)}${end}${end}`;
  const chunk = (choices: object[], usage: object | null): string =>
    data({ id: 'chatcmpl-1', choices, usage, service_tier: 'default' });
  const usage = chunk([], { prompt_tokens: 30, completion_tokens: 20, total_tokens: 50 });
  const before =
    `: hello${end}${end}` +
    chunk([{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }], null) +
    `: comment${end}id: 5${end}` +
    chunk([{ index: 0, delta: { content: TEXT }, finish_reason: null }], null) +
    `data: {"choices":[{"delta":${end}data: {"reasoning_content":${JSON.stringify(TEXT)}}}]}${end}${end}${end}` +
    chunk([{ index: 0, delta: {}, finish_reason: 'stop' }], null);
  return fixture(
    `OpenAI stream, ${JSON.stringify(end)} lines${removed ? ', usage event removed' : ''}`,
    {},
    {
      before: removed ? before : before + usage,
      removed: removed ? usage : '',
      between: `: last${end}`,
      terminal: `data: [DONE]${end}${end}`,
      texts: 2,
      tokens: { input: 30, output: 20 },
    },
  );
}

function anthropic(end: string): Fixture {
  const named = (type: string, members: object = {}): string =>
    `event: ${type}${end}data: ${JSON.stringify({ type, ...members })}${end}${end}`;
  const before =
    '\ufeff' +
    named('message_start', { message: { id: 'msg_1', usage: { input_tokens: 9, output_tokens: 1 } } }) +
    named('ping') +
    named('content_block_delta', { index: 0, delta: { type: 'text_delta', text: TEXT } }) +
    `: keep-alive${end}${end}` +
    named('content_block_delta', { index: 0, delta: { type: 'input_json_delta', partial_json: TEXT } }) +
    named('message_delta', { delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 44 } });
  return fixture(
    `Anthropic stream, ${JSON.stringify(end)} lines`,
    { dialect: 'anthropic-messages' },
    { before, terminal: named('message_stop'), texts: 2, tokens: { input: 9, output: 44 } },
  );
}

const part = (text: string, finishReason?: string): object => ({
  candidates: [{ content: { parts: [{ text }], role: 'model' }, finishReason }],
  usageMetadata: { promptTokenCount: 8, candidatesTokenCount: 3, totalTokenCount: 11 },
  responseId: 'r',
});

const GEMINI_TOKENS = { input: 8, output: 3 };

function geminiEvents(end: string): Fixture {
  const data = (value: object): string => `data: ${JSON.stringify(value)}${end}${end}`;
  return fixture(
    `Gemini stream, ${JSON.stringify(end)} lines`,
    { dialect: 'gemini-content' },
    { before: data(part(TEXT)) + `: x${end}` + data(part('')), terminal: data(part(TEXT, 'STOP')), behind: `: y${end}${end}`, texts: 2, tokens: GEMINI_TOKENS },
  );
}

/** Two candidates, the second of which ends later. */
const ofCandidate = (index: number, finishReason?: string): object => ({
  candidates: [{ index, content: { parts: [{ text: TEXT }] }, finishReason }],
  usageMetadata: { promptTokenCount: 8, candidatesTokenCount: 3, totalTokenCount: 11 },
});

const pretty = (value: object): string => JSON.stringify(value, undefined, 2);

const FIXTURES: Fixture[] = [
  ...['\n', '\r\n', '\r'].flatMap((end) => [openai(end, false), openai(end, true), anthropic(end), geminiEvents(end)]),
  fixture(
    'Gemini array',
    { dialect: 'gemini-content', framing: 'json-array' },
    { before: `[${pretty(part(TEXT))}`, terminal: `,\r\n${pretty(part(TEXT, 'STOP'))}\n]`, behind: '\n', texts: 2, tokens: GEMINI_TOKENS },
  ),
  fixture(
    'Gemini stream of two candidates',
    { dialect: 'gemini-content' },
    {
      before: [ofCandidate(0), ofCandidate(1), ofCandidate(0, 'STOP'), ofCandidate(1)].map((data) => `data: ${JSON.stringify(data)}\n\n`).join(''),
      terminal: `data: ${JSON.stringify(ofCandidate(1, 'STOP'))}\n\n`,
      texts: 5,
      tokens: GEMINI_TOKENS,
    },
  ),
  fixture(
    'Gemini array of two candidates',
    { dialect: 'gemini-content', framing: 'json-array' },
    {
      before: `[${pretty(ofCandidate(1))},${pretty(ofCandidate(0, 'STOP'))}`,
      terminal: `,${pretty(ofCandidate(1, 'STOP'))}]`,
      behind: '\n',
      texts: 3,
      tokens: GEMINI_TOKENS,
    },
  ),
  fixture(
    'JSON document',
    { framing: 'json' },
    {
      before: '',
      terminal: pretty({
        id: 'c',
        choices: [{ message: { content: TEXT, reasoning: TEXT }, finish_reason: 'stop' }],
        usage: { prompt_tokens: 5, completion_tokens: 6, total_tokens: 11 },
        service_tier: 'flex',
      }),
      behind: '\n',
      texts: 2,
      tokens: { input: 5, output: 6 },
    },
  ),
];

interface Outcome {
  ready: Buffer;
  held: Buffer;
  scan: AnswerScanner;
  /** Bytes that were out when the terminal unit was first seen. */
  readyAtTerminal: number | undefined;
}

/** `cuts` are ascending offsets. The reads are copies, so that a wrong reference would show. */
function run(options: AnswerScannerOptions, bytes: Buffer, cuts: number[]): Outcome {
  const scan = scanAnswer(options);
  const ready: Buffer[] = [];
  let readyAtTerminal: number | undefined;
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    scan.push(Buffer.from(bytes.subarray(from, to)));
    ready.push(...scan.takeReady());
    if (scan.terminal) {
      readyAtTerminal ??= Buffer.concat(ready).length;
    }
    from = to;
  }
  return { ready: Buffer.concat(ready), held: Buffer.concat(scan.takeHeld()), scan, readyAtTerminal };
}

function facts({ scan }: Outcome): object {
  const { usage, outputTextBytes, answerId, terminal, complete, errored, oversized, overheld } = scan;
  return { usage, outputTextBytes, answerId, terminal, complete, errored, oversized, overheld };
}

function expectSameAsWhole(fixture: Fixture, cuts: number[]): void {
  const whole = run(fixture.options, fixture.bytes, []);
  const outcome = run(fixture.options, fixture.bytes, cuts);
  const relayed = Buffer.concat([outcome.ready, outcome.held]);
  // Buffer.equals first: a deep comparison of buffers is slow.
  if (!relayed.equals(fixture.relayed) || outcome.ready.length > fixture.terminalAt) {
    expect({ cuts, ready: outcome.ready.toString(), held: outcome.held.toString() }).toEqual({
      cuts,
      ready: fixture.relayed.subarray(0, fixture.terminalAt).toString(),
      held: fixture.relayed.subarray(fixture.terminalAt).toString(),
    });
  }
  expect(outcome.readyAtTerminal).toBeLessThanOrEqual(fixture.terminalAt);
  outcome.scan.end();
  whole.scan.end();
  expect(facts(outcome)).toEqual(facts(whole));
}

const everyByte = (fixture: Fixture): number[] => Array.from({ length: fixture.bytes.length - 1 }, (_, at) => at + 1);

describe.each(FIXTURES)('$title', (fixture) => {
  it('is read and held as its shape says', () => {
    const outcome = run(fixture.options, fixture.bytes, []);
    expect(outcome.ready.toString()).toBe(fixture.relayed.subarray(0, fixture.terminalAt).toString());
    expect(outcome.held.toString()).toBe(fixture.relayed.subarray(fixture.terminalAt).toString());
    outcome.scan.end();
    expect(outcome.scan).toMatchObject({
      terminal: true,
      complete: true,
      errored: false,
      oversized: false,
      outputTextBytes: fixture.outputTextBytes,
      usage: { final: true, odd: false, tokens: { ...noTokens(), ...fixture.tokens } },
    });
  });

  it('is the same cut in two anywhere', () => {
    for (const cut of everyByte(fixture)) {
      expectSameAsWhole(fixture, [cut]);
    }
  });

  it('is the same byte by byte', () => {
    expectSameAsWhole(fixture, everyByte(fixture));
  });

  it('is the same in random pieces', () => {
    const cut = fc.integer({ min: 1, max: fixture.bytes.length - 1 });
    fc.assert(
      fc.property(fc.uniqueArray(cut, { maxLength: 40 }), (cuts) => {
        expectSameAsWhole(fixture, cuts.sort((a, b) => a - b));
      }),
    );
  });

  it('is not complete before its terminal unit is whole, wherever it is cut off', () => {
    for (let length = 0; length < fixture.bytes.length; length++) {
      const bytes = fixture.bytes.subarray(0, length);
      const outcome = run(fixture.options, bytes, length > 100 ? [length - 50] : []);
      if (outcome.scan.complete) {
        expect(length >= fixture.wholeAt || endsInCutCrLf(bytes, fixture)).toBe(true);
      }
      expect(outcome.ready.length).toBeLessThanOrEqual(fixture.terminalAt);
      if (fixture.options.framing !== 'sse' || fixture.options.dialect === 'gemini-content') {
        outcome.scan.end();
        expect(outcome.scan.complete).toBe(length >= fixture.wholeAt || endsInCutCrLf(bytes, fixture));
      }
    }
  });
});

/** The CR of the last CRLF ends the blank line already. */
function endsInCutCrLf(bytes: Buffer, fixture: Fixture): boolean {
  return bytes.length === fixture.wholeAt - 1 && bytes.at(-1) === 13 && fixture.bytes[bytes.length] === 10;
}

const OPTIONS: AnswerScannerOptions[] = [
  { dialect: 'openai-chat', framing: 'sse', removeUsageEvent: false },
  { dialect: 'anthropic-messages', framing: 'sse', removeUsageEvent: false },
  { dialect: 'gemini-content', framing: 'sse', removeUsageEvent: false },
  { dialect: 'gemini-content', framing: 'json-array', removeUsageEvent: false },
  { dialect: 'openai-chat', framing: 'json', removeUsageEvent: false },
];

/** Fragments that make garbage look like an answer. */
const fragment = fc.constantFrom(
  'data:', 'data: ', 'event: message_stop', 'event', ':', '\n', '\r', '\r\n', '\n\n', '[DONE]', '[', ']', '{', '}', ',', '"', '\\', '\\u00', 'null',
  '{"choices":[', '"usage":', '{"prompt_tokens":-1}', '"finishReason":"STOP"', '{"candidates":[{', '"index":1', '},{', '}]}', '1e999', '\ufeff', '"type":"message_stop"', '\u0000', 'é',
);

describe.each(OPTIONS)('garbage as $dialect $framing', (options) => {
  it('never throws and is relayed as it came, the same in any pieces', () => {
    const garbage = fc.oneof(
      fc.array(fragment, { maxLength: 60 }).map((fragments) => Buffer.from(fragments.join(''))),
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    );
    fc.assert(
      fc.property(garbage, fc.integer({ min: 1, max: 20 }), (bytes, pieceBytes) => {
        const cuts = everyByte({ bytes } as Fixture).filter((at) => at % pieceBytes === 0);
        const whole = run(options, bytes, []);
        const outcome = run(options, bytes, cuts);
        expect(Buffer.concat([outcome.ready, outcome.held]).equals(bytes)).toBe(true);
        expect(Buffer.concat([whole.ready, whole.held]).equals(bytes)).toBe(true);
        outcome.scan.end();
        whole.scan.end();
        expect(facts(outcome)).toEqual(facts(whole));
      }),
      { numRuns: 1000 },
    );
  });

  it('takes time linear in the bytes when they come one by one', () => {
    // Quadratic work would take minutes here; Jest's own deadline is the judge.
    const scan = scanAnswer(options);
    const bytes = Buffer.from(`data: {"choices":[{"delta":{"content":"${'\\"x'.repeat(60_000)}`);
    let relayedBytes = 0;
    for (let at = 0; at < bytes.length; at++) {
      scan.push(bytes.subarray(at, at + 1));
      relayedBytes += scan.takeReady().reduce((sum, piece) => sum + piece.length, 0);
    }
    relayedBytes += scan.takeHeld().reduce((sum, piece) => sum + piece.length, 0);
    expect(relayedBytes).toBe(bytes.length);
  });
});

describe('the bounds of an event', () => {
  it('does not cut a usage event in two that was too large to wait for', () => {
    const scan = scanAnswer({ dialect: 'openai-chat', framing: 'sse', removeUsageEvent: true });
    const pad = 'x'.repeat(1_100_000);
    const text = `data: {"pad":"${pad}","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n`;
    scan.push(Buffer.from(text.slice(0, 1_080_000)));
    scan.push(Buffer.from(text.slice(1_080_000)));
    expect(Buffer.concat(scan.takeReady()).toString() === text).toBe(true);
    expect(scan).toMatchObject({ oversized: true, usage: { tokens: { input: 1, output: 2 } } });
  });

  it('does not take a Gemini event that is no JSON for the end', () => {
    const scan = scanAnswer({ dialect: 'gemini-content', framing: 'sse', removeUsageEvent: false });
    scan.push(Buffer.from('data: {"candidates":[{"finishReason":"STOP"}]\n\n'));
    scan.end();
    expect(scan).toMatchObject({ terminal: false, complete: false });
  });
});
