import { describe, expect, it } from '@jest/globals';
import type { AnswerScanner } from './answer-scanner.js';
import { scanAnswer } from './scan-answer.js';

interface Part {
  index?: unknown;
  finishReason?: string;
}

const answer = (parts: Part[], members: object = {}): object => ({
  candidates: parts.map((part) => ({ content: { parts: [{ text: 'x' }] }, ...part })),
  usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 2 },
  ...members,
});
const runs = (index?: unknown): Part => ({ index });
const ends = (index?: unknown): Part => ({ finishReason: 'STOP', index });

describe.each(['sse', 'json-array'] as const)('the end of an answer of Gemini with several candidates, framed as %s', (framing) => {
  function makeStream() {
    const scan: AnswerScanner = scanAnswer({ dialect: 'gemini-content', framing, removeUsageEvent: false });
    let count = 0;
    /** Pushes one event; true when it went out at once, with all that had been held. */
    const passes = (data: object): boolean => {
      const text = JSON.stringify(data);
      scan.push(Buffer.from(framing === 'sse' ? `data: ${text}\n\n` : (count++ === 0 ? '[' : ',') + text));
      return Buffer.concat(scan.takeReady()).toString().includes(text);
    };
    const end = (): boolean => {
      if (framing === 'json-array') scan.push(Buffer.from(']'));
      scan.end();
      return scan.complete;
    };
    return { scan, passes, end };
  }

  it('comes with the last of those that have been seen', () => {
    const { scan, passes, end } = makeStream();
    expect([passes(answer([runs(0)])), passes(answer([runs(1)])), passes(answer([ends(0)])), passes(answer([runs(1)]))]).toEqual([true, true, true, true]);
    expect(scan).toMatchObject({ terminal: false, usage: { final: false } });
    expect(passes(answer([ends(1)]))).toBe(false);
    expect(scan).toMatchObject({ terminal: true, usage: { final: true } });
    expect(passes({ usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 9 } })).toBe(false);
    expect([scan.terminal, end(), scan.usage?.tokens.output]).toEqual([true, true, 9]);
  });

  it('is not there while one event ends some and another goes on in it', () => {
    const { passes, end } = makeStream();
    expect([passes(answer([ends(1), runs(0), ends(2)])), passes(answer([ends(0)])), end()]).toEqual([true, false, true]);
  });

  it('is taken back when one shows up that had not been seen', () => {
    const { scan, passes, end } = makeStream();
    expect([passes(answer([runs(0)])), passes(answer([ends(0)]))]).toEqual([true, false]);
    expect(scan.terminal).toBe(true);
    expect(passes(answer([runs(1)]))).toBe(true);
    expect(scan).toMatchObject({ terminal: false, usage: { final: false } });
    expect([passes(answer([ends(1)])), end()]).toEqual([false, true]);
    expect(Buffer.concat(scan.takeHeld()).toString().match(/STOP/g)).toHaveLength(1);
  });

  it('is missing when one of them never says that it has ended, but for the bracket that closes an array', () => {
    const { passes, end } = makeStream();
    expect([passes(answer([runs(0), runs(1)])), passes(answer([ends(0)])), end()]).toEqual([true, true, framing === 'json-array']);
  });

  it('stands when one that has ended is named again', () => {
    const { passes, end } = makeStream();
    expect([passes(answer([ends(0)])), passes(answer([runs(0)])), end()]).toEqual([false, false, true]);
  });

  it('is told by the index, wherever it stands and however it is left out', () => {
    const { passes } = makeStream();
    expect([passes(answer([{ finishReason: 'STOP', index: 1 }, runs()])), passes(answer([ends(null)]))]).toEqual([true, false]);
  });

  it('knows 128 of them, and one place for all that is beyond', () => {
    const { passes, end } = makeStream();
    expect(passes(answer(Array.from({ length: 1_000 }, (_, index) => runs(index))))).toBe(true);
    for (let index = 0; index < 128; index++) expect(passes(answer([ends(index)]))).toBe(true);
    expect([passes(answer([ends(500)])), passes(answer([runs('no number')])), end()]).toEqual([false, false, true]);
  });

  it('stands behind a refused prompt', () => {
    const { passes, end } = makeStream();
    expect([passes({ promptFeedback: { blockReason: 'SAFETY' } }), passes({ usageMetadata: { promptTokenCount: 1 } }), end()]).toEqual([false, false, true]);
  });
});

describe('an event that is broken off', () => {
  it('says nothing of its candidates', () => {
    const scan = scanAnswer({ dialect: 'gemini-content', framing: 'sse', removeUsageEvent: false });
    const broken = `data: ${JSON.stringify(answer([ends(0)])).slice(0, -1)}\n\n`;
    const whole = `data: ${JSON.stringify(answer([runs(0)]))}\n\n`;
    scan.push(Buffer.from(broken + whole));
    expect([Buffer.concat(scan.takeReady()).toString(), scan.terminal]).toEqual([broken + whole, false]);
  });
});
