import { Agent } from 'node:http';
import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ApiError, GoogleGenAI } from '@google/genai';
import { DIALECT_NAMES, FLAT_MODELS, flatNanoUsd } from '@tokone/testing';
import type { DialectName, RawAnswer } from '@tokone/testing';
import OpenAI from 'openai';
import { PricedDeployment, requestIdOf } from '../fixtures/priced-deployment.js';
import type { Recorder } from '../fixtures/recorder.js';

// The Google SDK looks for Node's own HTTP dispatcher on `globalThis`, but a Jest test has one of its own.
const dispatcherKey = Symbol.for('undici.globalDispatcher.1');
const outerGlobal = (fetch.constructor as FunctionConstructor)('new Headers(); return globalThis')() as Record<symbol, unknown>;
Object.assign(globalThis, { [dispatcherKey]: outerGlobal[dispatcherKey] });

const SILENCE_SECONDS = 2;

let deployment: PricedDeployment;
let recorder: Recorder;
let keys: Record<DialectName, string>;
let tags = 0;
/** Requests that the provider takes for served, but whose answer nobody can read. */
const unreadable: string[] = [];

beforeAll(async () => {
  deployment = await PricedDeployment.start({ recorded: true, env: { TOKONE_UPSTREAM_SILENCE_SECONDS: String(SILENCE_SECONDS) } });
  if (!deployment.recorder) throw new Error('no recorder');
  recorder = deployment.recorder;
  const [openai, anthropic, gemini] = await Promise.all(DIALECT_NAMES.map(async (name) => (await deployment.product.tenant('5000', name)).key));
  keys = { openai: openai ?? '', anthropic: anthropic ?? '', gemini: gemini ?? '' };
});
afterAll(async () => {
  expect(await deployment.stop()).toBe(0);
});

interface Framing {
  dialect: DialectName;
  jsonArray: boolean;
}

const FRAMINGS: readonly (readonly [title: string, framing: Framing])[] = [
  ['openai', { dialect: 'openai', jsonArray: false }],
  ['anthropic', { dialect: 'anthropic', jsonArray: false }],
  ['gemini', { dialect: 'gemini', jsonArray: false }],
  ['gemini as an array', { dialect: 'gemini', jsonArray: true }],
];

interface Relayed {
  answer: RawAnswer;
  /** What the provider sent. */
  upstream: Buffer;
}

/** One call with faults; every fault gets a tag, so that the recorder finds it. */
async function relay({ dialect, jsonArray }: Framing, words: string, options: { stream: boolean; extra?: Record<string, unknown>; agent?: Agent }): Promise<Relayed> {
  const tag = `t${++tags}x`;
  if (words.includes('bad-json')) unreadable.push(tag);
  const answer = await deployment.call(dialect, keys[dialect], { model: FLAT_MODELS[dialect], prompt: `[[sim: ${words} tag=${tag}]]`, outputLimit: 4_000, jsonArray, ...options });
  return { answer, upstream: recorder.call(tag).answer };
}

function usageOf({ answer }: Relayed) {
  return deployment.ledger.usageOf(requestIdOf(answer));
}

/** The error of a dialect, wherever it stands in a text; undefined when there is none. */
function errorIn(text: string): { message: string } | undefined {
  const found = /\{"error":\{.*?\}\}|\{"type":"error".*?\}\}?$/ms.exec(text)?.[0] ?? /\{"type":"error".*\}/.exec(text)?.[0];
  return found === undefined ? undefined : (JSON.parse(found.replace(/\]$/, '')) as { error: { message: string } }).error;
}

describe.each(FRAMINGS)('a stream of %s', (_title, framing) => {
  it.each([
    ['is cut', 'cut-after=3'],
    ['ends too early', 'end-after=3'],
    ['falls silent', 'stall-after=3'],
  ])('that %s after it began gets an error event and no clean end, and is charged for what came', async (_fault, words) => {
    const relayed = await relay(framing, `output-tokens=100 chunk-delay-ms=150 ${words}`, { stream: true });
    const { answer, upstream } = relayed;
    expect([answer.status, answer.cleanEnd]).toEqual([200, false]);
    // The provider's bytes come first, all of them, then our event.
    expect(answer.text.startsWith(upstream.toString().trimEnd())).toBe(true);
    expect(errorIn(answer.text.slice(upstream.toString().trimEnd().length))?.message).toMatch(/provider/);
    expect(await usageOf(relayed)).toMatchObject({ outcome: 'upstream_failed', estimated: true, outputTokens: 12, chargeNanoUsd: flatNanoUsd(12) });
  });

  it("that breaks off with the provider's own error ends with that event, not cleanly, and is charged for what came", async () => {
    const relayed = await relay(framing, 'output-tokens=100 chunk-delay-ms=150 error-after=3', { stream: true });
    const { answer, upstream } = relayed;
    expect([answer.status, answer.cleanEnd]).toEqual([200, false]);
    const sent = upstream.toString();
    expect(sent.startsWith(answer.text.trimEnd())).toBe(true);
    expect(errorIn(answer.text)).toBeDefined();
    expect(await usageOf(relayed)).toMatchObject({ outcome: 'upstream_failed', estimated: true, outputTokens: 12, chargeNanoUsd: flatNanoUsd(12) });
  });

  it.each([
    ['begins with an error', 'first-event-error', 502],
    ['never begins', 'stall=before-head', 504],
    ['has a head and nothing more', 'stall', 504],
    ['is compressed', 'gzip output-tokens=100', 502],
    ['leads elsewhere', 'redirect', 502],
  ])('that %s is a plain error and costs nothing', async (_fault, words, status) => {
    const relayed = await relay(framing, words, { stream: true });
    const { answer } = relayed;
    expect([answer.status, answer.cleanEnd]).toEqual([status, true]);
    expect(answer.headers['content-type']).toBe('application/json');
    expect(errorIn(answer.text)?.message).toMatch(/provider/);
    expect(await usageOf(relayed)).toMatchObject({ outcome: 'upstream_failed', chargeNanoUsd: 0n, outputTokens: 0, inputTokens: 0 });
  });

  it.each(['', 'split-bytes=1', 'crlf', 'comments', 'multibyte', 'split-bytes=1 crlf comments multibyte', 'bad-json', 'split-bytes=7 multibyte'])(
    'passes byte for byte and is charged as reported: %s',
    async (words) => {
      const extra = framing.dialect === 'openai' ? { stream_options: { include_usage: true } } : {};
      const relayed = await relay(framing, `output-tokens=40 ${words}`, { stream: true, extra });
      const { answer, upstream } = relayed;
      // A broken element of an array cannot be told from what follows it: there is no end to be seen.
      if (framing.jsonArray && words === 'bad-json') return expect([answer.status === 200 && answer.cleanEnd, answer.body.equals(upstream)]).toEqual([false, false]);
      expect(answer.body.equals(upstream)).toBe(true);
      expect([answer.status, answer.cleanEnd]).toEqual([200, true]);
      expect(await usageOf(relayed)).toMatchObject({ outcome: 'completed', estimated: false, chargeNanoUsd: flatNanoUsd(40) });
    },
  );

  it('reaches the client event by event, none later than the next one is sent', async () => {
    const tag = `t${++tags}x`;
    const lags: number[] = [];
    let received = 0;
    const onBytes = (bytes: Buffer) => {
      received += bytes.length;
      lags.push(recorder.call(tag).answer.length - received);
    };
    const { dialect, jsonArray } = framing;
    const answer = await deployment.call(dialect, keys[dialect], { model: FLAT_MODELS[dialect], prompt: `[[sim: output-tokens=24 chunk-delay-ms=250 tag=${tag}]]`, stream: true, outputLimit: 100, jsonArray, onBytes, ...(dialect === 'openai' && { extra: { stream_options: { include_usage: true } } }) });
    expect(answer.cleanEnd).toBe(true);
    // Six events with text; each arrived, whole, while nothing newer had been sent. Then the terminal unit.
    expect(lags.filter((lag) => lag === 0).length).toBeGreaterThanOrEqual(6);
    expect(Math.max(...lags)).toBeLessThan(1_000);
  });

  it('leaves the connections of client and provider fit for the next request', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    try {
      for (const words of ['output-tokens=40 cut-after=3', 'first-event-error', 'gzip', 'output-tokens=40 end-after=2', 'redirect']) {
        await relay(framing, words, { stream: true, agent });
        const { answer } = await relay(framing, 'output-tokens=40', { stream: true, agent });
        expect([answer.status, answer.cleanEnd]).toEqual([200, true]);
      }
    } finally {
      agent.destroy();
    }
  });
});

describe.each(DIALECT_NAMES)('an answer of %s that is not streamed', (dialect) => {
  const framing = { dialect, jsonArray: false };

  it.each([
    ['is cut', 'output-tokens=100 cut-after=40', 502],
    ['ends too early', 'output-tokens=100 end-after=40', 502],
    ['falls silent', 'output-tokens=100 stall-after=40', 504],
    ['is broken JSON', 'output-tokens=100 bad-json', 502],
    ['is an error with status 200', 'first-event-error', 502],
    ['is compressed', 'output-tokens=100 gzip', 502],
    ['leads elsewhere', 'redirect', 502],
    ['is cut before its first byte', 'output-tokens=100 cut-after=0', 502],
  ])('and %s is a plain error and costs nothing', async (_fault, words, status) => {
    const relayed = await relay(framing, words, { stream: false });
    const { answer } = relayed;
    expect([answer.status, answer.cleanEnd]).toEqual([status, true]);
    expect(errorIn(answer.text)?.message).toMatch(/provider/);
    expect(await usageOf(relayed)).toMatchObject({ outcome: 'upstream_failed', chargeNanoUsd: 0n, outputTokens: 0, inputTokens: 0 });
  });

  it.each(['output-tokens=40 split-bytes=1', 'output-tokens=40 multibyte split-bytes=1', 'big=300000', 'big=5000000', 'big=300000 split-bytes=1000'])('passes byte for byte and is charged: %s', async (words) => {
    const relayed = await relay(framing, words, { stream: false });
    const { answer, upstream } = relayed;
    expect([answer.status, answer.cleanEnd]).toEqual([200, true]);
    expect(answer.body.equals(upstream)).toBe(true);
    const tokens = words.startsWith('big=') ? Number(/big=(\d+)/.exec(words)?.[1]) / 4 : 40;
    expect(await usageOf(relayed)).toMatchObject({ outcome: 'completed', estimated: false, outputTokens: tokens, chargeNanoUsd: flatNanoUsd(tokens) });
  });

  it.each(['cut-after=2000000', 'end-after=2000000'])('and breaks off after megabytes never looks whole: %s', async (words) => {
    const relayed = await relay(framing, `big=5000000 ${words}`, { stream: false });
    const { answer, upstream } = relayed;
    expect([answer.status, answer.cleanEnd]).toEqual([200, false]);
    expect(upstream.subarray(0, answer.body.length).equals(answer.body)).toBe(true);
    expect(() => JSON.parse(answer.text) as unknown).toThrow();
    const usage = await usageOf(relayed);
    expect(usage).toMatchObject({ outcome: 'upstream_failed', estimated: true });
    expect(usage.chargeNanoUsd).toBe(flatNanoUsd(usage.outputTokens));
    // What the client has is never more than what is charged, and that never more than what the provider sent.
    expect(usage.outputTokens).toBeGreaterThan((answer.body.length - 10_000) / 4);
    expect(usage.outputTokens).toBeLessThanOrEqual(upstream.length / 4);
  });
});

describe('the usage event of OpenAI', () => {
  const framing = { dialect: 'openai' as const, jsonArray: false };

  it.each(['', 'split-bytes=1', 'crlf comments'])('is taken out, and nothing else, when the client did not ask for it: %s', async (words) => {
    const relayed = await relay(framing, `output-tokens=40 ${words}`, { stream: true });
    const sent = relayed.upstream.toString();
    const usageEvent = /data: [^\r\n]*"choices":\[\],"usage":\{[^\r\n]*(?:\r\n\r\n|\n\n)/.exec(sent)?.[0] ?? 'none';
    expect(relayed.answer.text).toBe(sent.replace(usageEvent, ''));
    expect(relayed.answer.text).not.toContain('"choices":[]');
    expect(await usageOf(relayed)).toMatchObject({ estimated: false, outputTokens: 40 });
  });
});

describe('an official SDK raises an error when the provider breaks off', () => {
  const prompt = (fault: string) => `[[sim: output-tokens=100 chunk-delay-ms=150 ${fault}]]`;

  it.each(['cut-after=3', 'end-after=3', 'error-after=3'])('openai: %s', async (fault) => {
    const client = new OpenAI({ apiKey: keys.openai, baseURL: `${deployment.baseUrl}/v1`, maxRetries: 0 });
    const stream = await client.chat.completions.create({ model: FLAT_MODELS.openai, stream: true, messages: [{ role: 'user', content: prompt(fault) }] });
    await expect(drain(stream)).rejects.toBeInstanceOf(OpenAI.APIError);
  });

  it.each(['cut-after=3', 'end-after=3', 'error-after=3'])('anthropic: %s', async (fault) => {
    const client = new Anthropic({ apiKey: keys.anthropic, baseURL: deployment.baseUrl, maxRetries: 0 });
    const stream = await client.messages.create({ model: FLAT_MODELS.anthropic, max_tokens: 1_000, stream: true, messages: [{ role: 'user', content: prompt(fault) }] });
    await expect(drain(stream)).rejects.toBeInstanceOf(Anthropic.APIError);
  });

  it.each(['cut-after=3', 'end-after=3', 'error-after=3'])('gemini: %s', async (fault) => {
    const client = new GoogleGenAI({ apiKey: keys.gemini, httpOptions: { baseUrl: deployment.baseUrl } });
    const stream = await client.models.generateContentStream({ model: FLAT_MODELS.gemini, contents: prompt(fault) });
    await expect(drain(stream)).rejects.toBeInstanceOf(ApiError);
  });
});

async function drain(stream: AsyncIterable<unknown>): Promise<number> {
  let events = 0;
  for await (const _event of stream) events++;
  return events;
}

it('leaves the books in order', async () => {
  expect(await deployment.moneyFaults(unreadable)).toEqual([]);
});
