import { describe, expect, it } from '@jest/globals';
import type { AnswerScanner, AnswerScannerOptions } from './answer-scanner.js';
import { scanAnswer } from './scan-answer.js';

const MIB = 1_048_576;
const READ_BYTES = 65_536;

const GEMINI_END = '{"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1}}';
const OPENAI_DOCUMENT = '{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}';

type Case = [title: string, options: Pick<AnswerScannerOptions, 'dialect' | 'framing'>, terminal: string, behind: string];

/** Answers that only the end of the stream completes. */
const OPEN: Case[] = [
  ['a Gemini stream', { dialect: 'gemini-content', framing: 'sse' }, `data: ${GEMINI_END}\n\n`, `: ${'x'.repeat(61)}\n`],
  ['a Gemini stream with one endless event', { dialect: 'gemini-content', framing: 'sse' }, `data: ${GEMINI_END}\n\n`, 'data: {"x":"'.padEnd(64, 'x')],
  ['a Gemini array', { dialect: 'gemini-content', framing: 'json-array' }, `[${GEMINI_END}`, ' '.repeat(64)],
  ['a document', { dialect: 'openai-chat', framing: 'json' }, OPENAI_DOCUMENT, ' '.repeat(64)],
  ['a closing event of OpenAI without its blank line', { dialect: 'openai-chat', framing: 'sse' }, 'data: [DONE]', ' '.repeat(64)],
  ['a closing event of Anthropic that does not end', { dialect: 'anthropic-messages', framing: 'sse' }, 'event: message_stop\n', 'data: '.padEnd(64, 'x')],
];

/** Answers that are complete with their terminal unit. */
const CLOSED: Case[] = [
  ['[DONE]', { dialect: 'openai-chat', framing: 'sse' }, 'data: [DONE]\n\n', ': x'.padEnd(63, 'x') + '\n'],
  ['message_stop', { dialect: 'anthropic-messages', framing: 'sse' }, 'event: message_stop\ndata: {"type":"message_stop"}\n\n', ': x'.padEnd(63, 'x') + '\n'],
];

function begin([, options, terminal]: Case): AnswerScanner {
  const scan = scanAnswer({ ...options, removeUsageEvent: false });
  scan.push(Buffer.from(terminal));
  expect(Buffer.concat(scan.takeReady()).toString()).toBe('');
  return scan;
}

/** Pushes copies of `text`, 64 bytes long, in reads of 64 KiB and a last one that is shorter. */
function pushBehind(scan: AnswerScanner, text: string, bytes: number): void {
  const read = Buffer.from(text.repeat(READ_BYTES / 64));
  for (let at = 0; at < bytes; at += READ_BYTES) scan.push(read.subarray(0, Math.min(READ_BYTES, bytes - at)));
}

const heldBytes = (scan: AnswerScanner): number => scan.takeHeld().reduce((sum, piece) => sum + piece.length, 0);

describe('what comes behind the end of an answer', () => {
  it.each(OPEN)('is held up to 1 MiB: %s', (...shape) => {
    const [, , terminal, behind] = shape;
    const scan = begin(shape);
    const allowedBytes = terminal.includes('choices') || terminal.includes('candidates') ? MIB : MIB - terminal.length;
    pushBehind(scan, behind, allowedBytes);
    expect(scan).toMatchObject({ terminal: true, overheld: false });
    expect(heldBytes(scan)).toBe(terminal.length + allowedBytes);
  });

  it.each(OPEN)('is too much beyond, and nothing more is taken: %s', (...shape) => {
    const [, , terminal, behind] = shape;
    const scan = begin(shape);
    pushBehind(scan, behind, MIB + 64);
    expect(scan.overheld).toBe(true);
    pushBehind(scan, behind, 64 * MIB);
    scan.end();
    expect(scan).toMatchObject({ terminal: true, complete: false, overheld: true });
    expect(scan.takeReady()).toEqual([]);
    expect(heldBytes(scan)).toBeLessThanOrEqual(terminal.length + MIB + 64);
  });

  it.each(CLOSED)('does not pile up behind %s, which stays complete', (...shape) => {
    const [, , terminal, behind] = shape;
    const scan = begin(shape);
    pushBehind(scan, behind, 64 * MIB);
    scan.end();
    expect(scan).toMatchObject({ complete: true, overheld: true });
    expect(heldBytes(scan)).toBeLessThanOrEqual(terminal.length + MIB + READ_BYTES);
  });

  it('is counted from the end of the last event, however large that was', () => {
    for (const framing of ['sse', 'json-array'] as const) {
      const scan = scanAnswer({ dialect: 'gemini-content', framing, removeUsageEvent: false });
      const large = GEMINI_END.replace('"x"', `"${'x'.repeat(MIB - 1_000)}"`);
      const late = '{"usageMetadata":{"promptTokenCount":7}}';
      scan.push(Buffer.from(framing === 'sse' ? `data: ${large}\n\n` : `[${large}`));
      scan.push(Buffer.from(framing === 'sse' ? `data: ${late}\n\n${': \n'.repeat(1_000)}` : `,${late}${' '.repeat(3_000)}]`));
      scan.end();
      expect(scan).toMatchObject({ complete: true, overheld: false, oversized: false, usage: { tokens: { input: 7 } } });
      expect(scan.takeReady()).toEqual([]);
    }
  });

  it('is not confused with a long document that arrives in one read', () => {
    const scan = scanAnswer({ dialect: 'openai-chat', framing: 'json', removeUsageEvent: false });
    scan.push(Buffer.from(OPENAI_DOCUMENT.replace('"x"', `"${'x'.repeat(3 * MIB)}"`)));
    scan.end();
    expect(scan).toMatchObject({ complete: true, overheld: false });
  });
});
