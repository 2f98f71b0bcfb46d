import { Agent } from 'node:http';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ApiError, GoogleGenAI } from '@google/genai';
import { FLAT_MODELS, flatNanoUsd, waitFor, writeCall } from '@tokone/testing';
import OpenAI from 'openai';
import { PricedDeployment, requestIdOf } from '../../fixtures/priced-deployment.js';

// The Google SDK looks for Node's own HTTP dispatcher on `globalThis`, but a Jest test has one of its own.
const dispatcherKey = Symbol.for('undici.globalDispatcher.1');
const outerGlobal = (fetch.constructor as FunctionConstructor)('new Headers(); return globalThis')() as Record<symbol, unknown>;
Object.assign(globalThis, { [dispatcherKey]: outerGlobal[dispatcherKey] });

const USD = 1_000_000_000n;
const STEP_TOKENS = 4_096;
/** Usage of these requests is a lie on purpose. */
const OVERRULED = ['over-reported'];

let deployment: PricedDeployment;

beforeAll(async () => {
  deployment = await PricedDeployment.start();
});
afterAll(async () => {
  expect(await deployment.stop()).toBe(0);
});

const flat = (prompt: string, outputLimit: number | undefined, stream = false) => ({ model: FLAT_MODELS.openai, prompt, outputLimit, stream });

describe('a balance under many requests at once', () => {
  it('serves exactly twenty of a thousand where it covers twenty, and serves again after a top-up', async () => {
    const { accountId, key } = await deployment.product.tenant('1', 'openai');
    const agent = new Agent({ keepAlive: true, maxSockets: 1_000 });
    const call = flat('[[sim: output-tokens=1000]]', 1_000);
    try {
      const answers = await Promise.all(Array.from({ length: 1_000 }, () => deployment.call('openai', key, { ...call, agent })));
      const served = answers.filter(({ status }) => status === 200);
      expect(served).toHaveLength(20);
      const refusals = answers.filter(({ status }) => status !== 200).map(({ status, text }) => `${status} ${(JSON.parse(text) as { error: { code: string } }).error.code}`);
      expect(new Set([...refusals, '402 insufficient_balance', '429 balance_held'])).toEqual(new Set(['402 insufficient_balance', '429 balance_held']));
      await deployment.ledger.quiet();
      expect(await deployment.ledger.balanceOf(accountId)).toBe(0n);
      const usage = await deployment.ledger.usageOfAccount(accountId);
      expect(usage.map(({ holdNanoUsd, chargeNanoUsd }) => [holdNanoUsd, chargeNanoUsd])).toEqual(Array.from({ length: 20 }, () => [USD / 20n, USD / 20n]));
      expect((await deployment.call('openai', key, call)).status).toBe(402);
      await deployment.product.manage('POST', `/api/v1/accounts/${accountId}/top-ups`, { amount: '0.05' });
      const again = await waitFor(async () => ((await deployment.call('openai', key, call)).status === 200 ? true : undefined), { what: 'a top-up to be served', deadlineMs: 5_000 });
      expect(again).toBe(true);
      await deployment.ledger.quiet();
      expect(await deployment.ledger.balanceOf(accountId)).toBe(0n);
    } finally {
      agent.destroy();
    }
  });

  it('takes top-ups in the middle of the load, and keeps two accounts apart', async () => {
    const [poor, rich] = await Promise.all([deployment.product.tenant('0.5', 'openai'), deployment.product.tenant('5', 'openai')]);
    const call = flat('[[sim: output-tokens=200]]', 200);
    const load = async (key: string, calls: number) => {
      let served = 0;
      for (let done = 0; done < calls; done += 20) {
        const answers = await Promise.all(Array.from({ length: 20 }, () => deployment.call('openai', key, call)));
        served += answers.filter(({ status }) => status === 200).length;
      }
      return served;
    };
    const topUps = async () => {
      for (let count = 0; count < 10; count++) await deployment.product.manage('POST', `/api/v1/accounts/${poor.accountId}/top-ups`, { amount: '0.1' });
    };
    const [servedPoor, servedRich] = await Promise.all([load(poor.key, 400), load(rich.key, 400), topUps()]);
    await deployment.ledger.quiet();
    // A request costs $0.01: $5 pay for all 400; $0.50 and ten top-ups of $0.10 for at most 150, and what is left is in the wallet.
    expect(servedRich).toBe(400);
    expect(await deployment.ledger.balanceOf(rich.accountId)).toBe(USD);
    expect(servedPoor).toBeLessThanOrEqual(150);
    expect(await deployment.ledger.balanceOf(poor.accountId)).toBe((3n * USD) / 2n - BigInt(servedPoor) * (USD / 100n));
  });
});

interface CutStream {
  tokens: number;
  error: unknown;
}

/** Streams far more than the balance pays for, through the official SDK; returns what arrived and what it raised. */
const STREAMS = {
  async openai(key: string, prompt: string): Promise<CutStream> {
    const client = new OpenAI({ apiKey: key, baseURL: `${deployment.baseUrl}/v1`, maxRetries: 0 });
    let characters = 0;
    try {
      const stream = await client.chat.completions.create({ model: FLAT_MODELS.openai, max_completion_tokens: 100_000, stream: true, messages: [{ role: 'user', content: prompt }] });
      for await (const chunk of stream) characters += chunk.choices[0]?.delta.content?.length ?? 0;
    } catch (error) {
      return { tokens: characters / 4, error };
    }
    return { tokens: characters / 4, error: undefined };
  },
  async anthropic(key: string, prompt: string): Promise<CutStream> {
    const client = new Anthropic({ apiKey: key, baseURL: deployment.baseUrl, maxRetries: 0 });
    let characters = 0;
    try {
      const stream = await client.messages.create({ model: FLAT_MODELS.anthropic, max_tokens: 100_000, stream: true, messages: [{ role: 'user', content: prompt }] });
      for await (const event of stream) if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') characters += event.delta.text.length;
    } catch (error) {
      return { tokens: characters / 4, error };
    }
    return { tokens: characters / 4, error: undefined };
  },
  async gemini(key: string, prompt: string): Promise<CutStream> {
    const client = new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: deployment.baseUrl } });
    let characters = 0;
    try {
      const stream = await client.models.generateContentStream({ model: FLAT_MODELS.gemini, contents: prompt, config: { maxOutputTokens: 100_000 } });
      for await (const chunk of stream) characters += chunk.text?.length ?? 0;
    } catch (error) {
      return { tokens: characters / 4, error };
    }
    return { tokens: characters / 4, error: undefined };
  },
};

describe('a stream on a small balance', () => {
  it.each([
    ['openai', OpenAI.APIError],
    ['anthropic', Anthropic.APIError],
    ['gemini', ApiError],
  ] as const)('is extended while the balance lasts, then cut with the error of %s', async (dialect, typedError) => {
    const { accountId, key } = await deployment.product.tenant('1', dialect);
    const { tokens, error } = await STREAMS[dialect](key, `[[sim: output-tokens=90000 chunk-tokens=100 chunk-delay-ms=1 tag=cut-${dialect}]]`);
    expect(error).toBeInstanceOf(typedError);
    expect(String((error as Error).message)).toContain('balance is used up');
    await deployment.ledger.quiet();
    const [usage] = await deployment.ledger.usageOfAccount(accountId);
    expect(usage).toMatchObject({ outcome: 'balance_exhausted', estimated: true, errorCode: 'balance_exhausted' });
    const balance = await deployment.ledger.balanceOf(accountId);
    expect(balance).toBeGreaterThanOrEqual(0n);
    expect(balance).toBeLessThan(flatNanoUsd(STEP_TOKENS));
    expect(usage?.chargeNanoUsd).toBe(USD - balance);
    expect(usage?.grantNanoUsd).toBe(usage?.chargeNanoUsd);
    // It was paid for 20,000 tokens, of which all but the last piece arrived, and nothing beyond them.
    expect(tokens).toBeLessThanOrEqual(20_000);
    expect(tokens).toBeGreaterThan(19_000);
    const truth = (await deployment.simulator.truth()).find(({ tag }) => tag === `cut-${dialect}`);
    expect(truth?.outcome).toBe('client_left');
  });

  it.each([
    ['openai', 1_300],
    ['openai', 1_700],
    ['anthropic', 1_300],
    ['anthropic', 1_700],
  ] as const)('is never cut in the middle of an event: %s in events of %d tokens', async (dialect, chunkTokens) => {
    const { key } = await deployment.product.tenant('1', dialect);
    const prompt = `[[sim: output-tokens=90000 chunk-tokens=${chunkTokens} chunk-delay-ms=1]]`;
    const answer = await deployment.call(dialect, key, { model: FLAT_MODELS[dialect], prompt, stream: true, outputLimit: 100_000 });
    expect([answer.status, answer.cleanEnd]).toEqual([200, false]);
    const events = answer.text.split('\n\n').filter((event) => event !== '');
    const parsed = events.map((event) => JSON.parse(/^data: (.*)$/m.exec(event)?.[1] ?? '') as { error?: { message: string } });
    expect(parsed.findIndex(({ error }) => error !== undefined)).toBe(events.length - 1);
    expect(parsed.at(-1)?.error?.message).toContain('balance is used up');
  });

  it.each([
    ['openai', 'gpt-5.5', 6],
    ['gemini', 'gemini-2.5-pro', 4],
  ] as const)('that thinks unseen is given a limit that its hold covers: %s, several at once', async (dialect, model, streams) => {
    const { accountId, key } = await deployment.product.tenant('1', dialect);
    await deployment.ledger.quiet();
    const writtenOff = await deployment.ledger.writtenOff();
    const call = { model, prompt: '[[sim: reasoning-tokens=90000 output-tokens=200]]', stream: true, outputLimit: 60_000 };
    const answers = await Promise.all(Array.from({ length: streams }, () => deployment.call(dialect, key, call)));
    const served = answers.filter(({ status }) => status === 200);
    expect(served.length).toBeGreaterThanOrEqual(2);
    for (const { headers, cleanEnd } of served) expect([Number(headers['x-tokone-output-limit']) < 60_000, cleanEnd]).toEqual([true, true]);
    await deployment.ledger.quiet();
    const usage = (await deployment.ledger.usageOfAccount(accountId)).filter(({ outcome }) => outcome === 'completed');
    expect(usage).toHaveLength(served.length);
    for (const { chargeNanoUsd, ratedNanoUsd } of usage) expect(chargeNanoUsd).toBe(ratedNanoUsd);
    expect(await deployment.ledger.writtenOff()).toBe(writtenOff);
  });

  it('that comes all at once brings what is paid for, and no more', async () => {
    const { key } = await deployment.product.tenant('1', 'openai');
    const answer = await deployment.call('openai', key, flat('[[sim: output-tokens=90000 chunk-tokens=100]]', 100_000, true));
    const tokens = tokensIn(answer.text);
    // $1 pays for 20,000; the event in which they end is completed.
    expect(tokens).toBeGreaterThan(19_000);
    expect(tokens).toBeLessThanOrEqual(20_100);
  });

  it('records each extension before the tokens go out that it pays for', async () => {
    const { accountId, key } = await deployment.product.tenant('1', 'openai');
    let received = 0;
    let requestId = '';
    const samples: { receivedNanoUsd: bigint; recordedNanoUsd: bigint; heldNanoUsd: bigint }[] = [];
    const { path, headers, body } = writeCall('openai', key, flat('[[sim: output-tokens=15000 chunk-tokens=50 chunk-delay-ms=30]]', 100_000, true));
    const answer = await fetch(deployment.baseUrl + path, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body), signal: AbortSignal.timeout(60_000) });
    requestId = answer.headers.get('x-request-id') ?? '';
    let sampledAt = 0;
    for await (const bytes of answer.body as AsyncIterable<Uint8Array>) {
      received += tokensIn(Buffer.from(bytes).toString());
      if (received - sampledAt < 500) continue;
      sampledAt = received;
      const [recordedNanoUsd, heldNanoUsd] = await Promise.all([extendedTo(requestId), heldNow()]);
      samples.push({ receivedNanoUsd: flatNanoUsd(Math.floor(received)), recordedNanoUsd, heldNanoUsd });
    }
    await deployment.ledger.quiet();
    const [usage] = await deployment.ledger.usageOfAccount(accountId);
    expect(usage).toMatchObject({ outcome: 'completed', estimated: false, outputTokens: 15_000 });
    // A quarter of the balance was held at first: 5,000 tokens.
    const beyondFirst = samples.filter(({ receivedNanoUsd }) => receivedNanoUsd > USD / 4n);
    expect(beyondFirst.length).toBeGreaterThan(5);
    for (const sample of beyondFirst) expect(sample.recordedNanoUsd).toBeGreaterThanOrEqual(sample.receivedNanoUsd);
    const running = samples.filter(({ heldNanoUsd }) => heldNanoUsd > 0n);
    for (const sample of running) expect(sample.heldNanoUsd).toBeGreaterThanOrEqual(sample.receivedNanoUsd);
  });

  it('serves a coding agent that asks for 64k tokens with $1 left', async () => {
    const { accountId, key } = await deployment.product.tenant('1', 'anthropic');
    const answer = await deployment.call('anthropic', key, { model: 'claude-opus-4-6', prompt: 'Reply with OK', outputLimit: 64_000, stream: true });
    expect(answer).toMatchObject({ status: 200, cleanEnd: true });
    await deployment.ledger.quiet();
    const [usage] = await deployment.ledger.usageOfAccount(accountId);
    expect(usage).toMatchObject({ outcome: 'completed', estimated: false });
    expect(await deployment.ledger.balanceOf(accountId)).toBe(USD - (usage?.chargeNanoUsd ?? 0n));
  });
});

describe('a request that is not streamed', () => {
  it('without a limit of its own gets the one that the balance covers, in the header and in the upstream request', async () => {
    const { accountId, key } = await deployment.product.tenant('1', 'openai');
    const answer = await deployment.call('openai', key, flat('[[sim: output-tokens=9000 tag=limited]]', undefined));
    const limit = Number(answer.headers['x-tokone-output-limit']);
    // A quarter of the balance.
    expect(limit).toBe(5_000);
    expect(await deployment.bodyOf('limited')).toMatchObject({ max_completion_tokens: limit });
    await deployment.ledger.quiet();
    expect(await deployment.ledger.balanceOf(accountId)).toBe(USD - flatNanoUsd(limit));
  });

  it('and needs more than hold and balance by its report takes the balance to exactly 0, and the rest is written off', async () => {
    const { accountId, key } = await deployment.product.tenant('1', 'openai');
    const before = await deployment.ledger.writtenOff();
    const answer = await deployment.call('openai', key, flat('[[sim: output-tokens=1000 reported-output-tokens=100000 tag=over-reported]]', 1_000));
    expect(answer).toMatchObject({ status: 200, cleanEnd: true });
    await deployment.ledger.quiet();
    const usage = await deployment.ledger.usageOf(requestIdOf(answer));
    expect(usage).toMatchObject({ holdNanoUsd: USD / 20n, ratedNanoUsd: 5n * USD, chargeNanoUsd: USD, grantNanoUsd: USD });
    expect(await deployment.ledger.balanceOf(accountId)).toBe(0n);
    const after = await deployment.ledger.writtenOff();
    expect(after > before ? after - before : before - after).toBe(4n * USD);
  });
});

describe('a client that leaves in the middle', () => {
  /** Reads the first bytes of a stream, then goes. */
  async function leave(key: string, prompt: string): Promise<void> {
    const controller = new AbortController();
    const left = deployment.call('openai', key, { ...flat(prompt, 100_000, true), signal: controller.signal, onBytes: () => controller.abort() });
    await left.catch(() => undefined);
  }

  it('is charged exactly what the provider reports at the end', async () => {
    const { accountId, key } = await deployment.product.tenant('50', 'openai');
    await leave(key, '[[sim: output-tokens=400 chunk-delay-ms=5]]');
    await deployment.ledger.quiet();
    const [usage] = await deployment.ledger.usageOfAccount(accountId);
    expect(usage).toMatchObject({ outcome: 'client_left', estimated: false, outputTokens: 400, chargeNanoUsd: flatNanoUsd(400) });
  });

  it('is charged by our own count where the provider reports nothing', async () => {
    const { accountId, key } = await deployment.product.tenant('50', 'openai');
    await leave(key, '[[sim: output-tokens=400 chunk-delay-ms=5 no-usage]]');
    await deployment.ledger.quiet();
    const [usage] = await deployment.ledger.usageOfAccount(accountId);
    expect(usage).toMatchObject({ outcome: 'client_left', estimated: true, outputTokens: 400, chargeNanoUsd: flatNanoUsd(400) });
  });

  it('never makes its stream take more of the balance than it held', async () => {
    const { accountId, key } = await deployment.product.tenant('1', 'openai');
    await leave(key, '[[sim: output-tokens=30000 chunk-tokens=20 chunk-delay-ms=1]]');
    await deployment.ledger.quiet(60_000);
    const [usage] = await deployment.ledger.usageOfAccount(accountId);
    expect(usage).toMatchObject({ outcome: 'client_left', estimated: true, holdNanoUsd: USD / 4n });
    expect(await deployment.ledger.balanceOf(accountId)).toBeGreaterThanOrEqual((3n * USD) / 4n - flatNanoUsd(STEP_TOKENS));
  });
});

it('leaves the books in order', async () => {
  expect(await deployment.moneyFaults(OVERRULED)).toEqual([]);
});

/** Tokens of the whole pieces of content in a part of an OpenAI stream: a token of the simulator has four bytes. */
function tokensIn(text: string): number {
  let characters = 0;
  for (const [, content = ''] of text.matchAll(/"content":("(?:[^"\\]|\\.)*")/g)) characters += (JSON.parse(content) as string).length;
  return characters / 4;
}

/** The hold that the spool has on disk for a request: a record is its id, then its payload. */
async function extendedTo(requestId: string): Promise<bigint> {
  const id = Buffer.from(requestId.replaceAll('-', ''), 'hex').toString('latin1');
  let holdNanoUsd = 0n;
  const segments = await Promise.all(deployment.product.spoolFolders.map(async (folder) => (await readdir(folder)).map((name) => join(folder, name))));
  for (const path of segments.flat()) {
    const text = await readFile(path, 'latin1').catch(() => '');
    for (let at = text.indexOf(id); at >= 0; at = text.indexOf(id, at + 1)) {
      const found = /^\{"holdNanoUsd":"(\d+)"\}/.exec(text.slice(at + id.length, at + id.length + 64))?.[1];
      if (found !== undefined && BigInt(found) > holdNanoUsd) holdNanoUsd = BigInt(found);
    }
  }
  return holdNanoUsd;
}

async function heldNow(): Promise<bigint> {
  return BigInt((await deployment.product.holds()).heldNanoUsd);
}
