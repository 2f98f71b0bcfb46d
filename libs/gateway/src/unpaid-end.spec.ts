import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { SPOOL_RECORD, readUsageRecorded } from '@tokone/events';
import type { UsageRecorded } from '@tokone/events';
import { startSimulator } from '@tokone/simulator';
import { makeTemporaryFolder, waitFor } from '@tokone/testing';
import type { TemporaryFolder } from '@tokone/testing';
import { GatewayBench, SEEN_PRICE, chat } from './fixtures/gateway-bench.js';

/** Nano-USD of an output token. */
const TOKEN_NANO_USD = 30_000n;
/** More than a first hold pays for, and all of it in a read or two. */
const burst = (): Record<string, unknown> => chat('[[sim: output-tokens=20000 chunk-tokens=256]]', { model: SEEN_PRICE.model, stream: true, max_tokens: 60_000 });

let folder: TemporaryFolder;
let simulator: Awaited<ReturnType<typeof startSimulator>>;
let bench: GatewayBench;
/** Extensions wait for it. */
let answered: Promise<void>;
let answer: () => void;
let asked: number;

beforeEach(async () => {
  folder = await makeTemporaryFolder('gateway');
  simulator = await startSimulator({ chunkDelayMs: 0 });
  bench = new GatewayBench(folder, simulator.url, Date.now);
});

afterEach(async () => {
  answer();
  await bench.close();
  await simulator.close();
  await folder.remove();
});

async function open(balanceNanoUsd: bigint): Promise<void> {
  bench.balanceNanoUsd = balanceNanoUsd;
  await bench.open();
  answered = new Promise((resolve) => (answer = resolve));
  asked = 0;
  const extend = bench.admission.extend.bind(bench.admission);
  bench.admission.extend = async (...asking) => {
    asked++;
    await answered;
    return extend(...asking);
  };
}

/** The whole answer has been read for a while, and is not paid for. */
async function everythingIsRead(): Promise<void> {
  await waitFor(() => asked > 0, { what: 'an extension to be asked for', deadlineMs: 5_000 });
  await waitFor(() => simulator.truth().every(({ outcome }) => outcome === 'complete'), { what: 'the provider to have sent everything', deadlineMs: 5_000 });
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

async function closed(): Promise<UsageRecorded> {
  return waitFor(
    async () => {
      const { records } = await bench.spool.read(undefined, { records: 10, bytes: 1 << 24, types: [SPOOL_RECORD.close] });
      return records[0] && readUsageRecorded(records[0].payload);
    },
    { what: 'the request to be closed', deadlineMs: 10_000 },
  );
}

function tokensOf(text: string): number {
  const contents = [...text.matchAll(/^data: (\{.*)$/gm)].map(([, event]) => (JSON.parse(event as string) as { choices?: { delta?: { content?: string } }[] }).choices?.[0]?.delta?.content ?? '');
  return contents.join('').length / 4;
}

it('an answer that ends before the balance has answered is not given away: what it does not cover stays', async () => {
  await open(200_000_000n);
  const call = bench.call(burst());
  await everythingIsRead();
  expect(bench.gateway.running.size).toBe(1);
  answer();
  const { text, whole } = await call;
  expect(whole).toBe(false);
  expect(text).toContain('balance_exhausted');
  expect(text).not.toContain('[DONE]');
  const event = await closed();
  expect(event).toMatchObject({ outcome: 'balance_exhausted' });
  expect(event.grantNanoUsd).toBeLessThanOrEqual(200_000_000n);
  expect(BigInt(Math.ceil(tokensOf(text))) * TOKEN_NANO_USD).toBeLessThanOrEqual(event.grantNanoUsd);
  expect(tokensOf(text)).toBeGreaterThan(4_096);
});

it('an answer that ends before the balance has answered ends whole, and paid for, when it covers it', async () => {
  await open(1_000_000_000n);
  const call = bench.call(burst());
  await everythingIsRead();
  answer();
  const { text, whole } = await call;
  expect(whole).toBe(true);
  expect(tokensOf(text)).toBe(20_000);
  expect(await closed()).toMatchObject({ outcome: 'completed', estimated: false, tokens: { output: 20_000 } });
  expect((await closed()).grantNanoUsd).toBeGreaterThanOrEqual(20_000n * TOKEN_NANO_USD);
});

it('a client that leaves meanwhile is charged as one that leaves', async () => {
  await open(1_000_000_000n);
  await bench.callAndLeave(burst());
  expect(await closed()).toMatchObject({ outcome: 'client_left', tokens: { output: 20_000 } });
});

it('a balance that cannot be asked ends the answer with that error, and costs no more than was held', async () => {
  await open(200_000_000n);
  bench.admission.extend = () => Promise.reject(new Error('no answer'));
  const { text, whole } = await bench.call(burst());
  expect(whole).toBe(false);
  expect(text).toContain('admission_unavailable');
  const event = await closed();
  expect(event).toMatchObject({ outcome: 'gateway_failed' });
  expect(event.grantNanoUsd).toBeLessThanOrEqual(event.holdNanoUsd);
  expect(BigInt(Math.ceil(tokensOf(text))) * TOKEN_NANO_USD).toBeLessThanOrEqual(event.grantNanoUsd);
}, 20_000);
