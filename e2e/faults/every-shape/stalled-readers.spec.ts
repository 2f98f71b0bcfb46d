import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { testedShape, waitFor, writeCall } from '@tokone/testing';
import type { TruthRecord } from '@tokone/testing';
import { PricedDeployment } from '../../fixtures/priced-deployment.js';

/** What TokOne may keep in its own memory for one stalled reader. */
const OWN_BYTES_PER_READER = 256 * 1024;
/** Garbage that the collector has not given back to the system: it does not grow with the readers. */
const UNCOLLECTED_BYTES = 192 * 1024 * 1024;
const READERS = 1_000;
/** Longer than it takes to fill the kernel's buffers of all readers, so that there is a time when all of them stall. Between services there are more of them. */
const STALL_SECONDS = testedShape() === 'services' ? 150 : 75;
/** Those before them fill the kernel's buffers meanwhile, in every process between provider and client. */
const SERVED_DEADLINE_MS = 60_000;
const MODEL = 'gpt-4.1-nano';

let deployment: PricedDeployment;
let tenant: { accountId: string; key: string };
const readers: Socket[] = [];

beforeAll(async () => {
  // Its memory is that of one process, and no balancer keeps bytes of its own.
  deployment = await PricedDeployment.start({ gateways: 1, env: { TOKONE_STALL_SECONDS: String(STALL_SECONDS) } });
  tenant = await deployment.product.tenant('100000', 'openai');
});
afterAll(async () => {
  for (const reader of readers) reader.destroy();
  expect(await deployment.stop()).toBe(0);
});

/** A client that asks for an endless stream and never reads: not even the socket is read. */
function stallOne(): void {
  const { path, headers, body } = writeCall('openai', tenant.key, { model: MODEL, prompt: '[[sim: endless chunk-tokens=1000 tag=stalled]]', stream: true, outputLimit: 2_000 });
  const text = JSON.stringify(body);
  const lines = Object.entries({ host: 'tokone', 'content-type': 'application/json', 'content-length': String(text.length), ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  const { hostname, port } = new URL(deployment.baseUrl);
  const reader = connect({ host: hostname, port: Number(port) });
  reader.pause().on('error', () => undefined);
  reader.write(`POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n${text}`);
  readers.push(reader);
}

async function stalled(): Promise<TruthRecord[]> {
  return (await deployment.simulator.truth()).filter(({ tag }) => tag === 'stalled');
}

async function writtenBytes(): Promise<number> {
  return (await stalled()).reduce((sum, { bytesWritten }) => sum + bytesWritten, 0);
}

/** Bytes that wait in the kernel's socket buffers between provider, TokOne and clients, from /proc/net/tcp: tx_queue and rx_queue. */
async function kernelBytes(): Promise<number> {
  const urls = [deployment.baseUrl, deployment.simulator.url, ...(await deployment.product.internalUrls())];
  const ports = urls.map((url) => Number(new URL(url).port));
  let bytes = 0;
  for (const line of (await readFile('/proc/net/tcp', 'utf8')).split('\n').slice(1)) {
    const [, local = '', remote = '', , queues = ''] = line.trim().split(/\s+/);
    if (![local, remote].some((address) => ports.includes(Number.parseInt(address.split(':')[1] ?? '', 16)))) continue;
    for (const queue of queues.split(':')) bytes += Number.parseInt(queue, 16);
  }
  return bytes;
}

async function residentBytes(): Promise<number> {
  const status = await readFile(`/proc/${await deployment.product.servingProcessId()}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

describe('a thousand readers of endless streams that stall', () => {
  let idleBytes = 0;

  it('stop the provider, with at most 256 KiB each in the memory of TokOne', async () => {
    expect((await deployment.call('openai', tenant.key, { model: MODEL, prompt: 'Reply with OK', stream: true, outputLimit: 10 })).status).toBe(200);
    idleBytes = await residentBytes();
    // In groups, because a thousand connections in one instant are another test.
    for (let count = 0; count < READERS; count += 50) {
      for (let index = 0; index < 50; index++) stallOne();
      await waitFor(async () => (await stalled()).length === count + 50, { what: `${count + 50} readers to be served`, deadlineMs: SERVED_DEADLINE_MS, intervalMs: 20 });
    }
    let before = -1;
    let ownBytes = 0;
    // On a busy machine a process may do nothing for a second, and go on: it stands still when nothing moved between two looks, and none while the kernel was asked.
    const still = async () => {
      const now = await writtenBytes();
      const unchanged = now === before;
      before = now;
      ownBytes = now - (await kernelBytes());
      return unchanged && (await writtenBytes()) === now;
    };
    await waitFor(still, { what: 'the provider to be stopped', deadlineMs: 60_000, intervalMs: 3_000 });
    expect((await stalled()).every(({ outcome }) => outcome === 'running')).toBe(true);
    // What the provider's own process buffers is in it too, so TokOne holds less than this.
    expect(ownBytes / READERS).toBeLessThanOrEqual(OWN_BYTES_PER_READER);
    const loadedBytes = await residentBytes();
    expect(loadedBytes - idleBytes).toBeLessThanOrEqual(READERS * OWN_BYTES_PER_READER + UNCOLLECTED_BYTES);
    // Figures for a person who reads the log.
    process.stdout.write(`${READERS} stalled readers: ${Math.round(ownBytes / READERS / 1024)} KiB each outside the kernel, ${Math.round(before / READERS / 1024)} KiB each read from the provider, resident ${Math.round(idleBytes / 2 ** 20)} -> ${Math.round(loadedBytes / 2 ** 20)} MiB\n`);
  });

  it('do not keep others waiting', async () => {
    const answer = await deployment.call('openai', tenant.key, { model: MODEL, prompt: 'Reply with OK', stream: true, outputLimit: 10 });
    expect([answer.status, answer.cleanEnd]).toEqual([200, true]);
  });

  it('count as gone after the stall time, are read on within the hold, charged, and let go', async () => {
    await deployment.ledger.quiet(STALL_SECONDS * 2_000 + 60_000);
    const usage = (await deployment.ledger.usageOfAccount(tenant.accountId)).filter(({ outputTokens }) => outputTokens > 2_000);
    expect(usage.map(({ outcome }) => outcome)).toEqual(Array.from({ length: READERS }, () => 'client_left'));
    for (const { estimated, chargeNanoUsd, ratedNanoUsd, grantNanoUsd } of usage) {
      expect([estimated, chargeNanoUsd > 0n]).toEqual([true, true]);
      expect([chargeNanoUsd, grantNanoUsd]).toEqual([ratedNanoUsd, ratedNanoUsd]);
    }
    await waitFor(async () => (await stalled()).every(({ outcome }) => outcome === 'client_left'), { what: 'the provider to see every request cancelled', deadlineMs: 30_000, intervalMs: 500 });
    expect(await residentBytes()).toBeLessThanOrEqual(idleBytes + READERS * OWN_BYTES_PER_READER + UNCOLLECTED_BYTES);
  }, 600_000);

  it('leave the books in order', async () => {
    expect(await deployment.moneyFaults()).toEqual([]);
  });
});
