import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { makeTemporaryFolder, type TemporaryFolder } from '@tokone/testing';
import { CursorFile } from './cursor-file.js';
import type { LogBatch } from './event-log.js';
import { usageText } from './fixtures/usage-text.js';
import { toLogRecord } from './log-record.js';
import { TalliedConsumer } from './tallied-consumer.js';

const LOG = 'log';
const MINUTE_MS = 60_000;
let folder: TemporaryFolder;
let file: CursorFile;
let handled: bigint[];
let nowMs: number;
/** Undefined: the consumer has no cursor of its own. */
let own: { position: bigint | undefined } | undefined;
const spool = { begin: 0n, end: 1_000n };

beforeEach(async () => {
  folder = await makeTemporaryFolder('tally');
  [handled, nowMs, own, spool.begin, spool.end] = [[], 5 * MINUTE_MS, undefined, 0n, 1_000n];
});
afterEach(async () => {
  await file.flush();
  await folder.remove();
});

/** As after a start: it reads the file that is there. */
async function start(): Promise<{ consumer: TalliedConsumer; begins: bigint | undefined }> {
  await file?.flush();
  file = new CursorFile(join(folder.path, 'cursor'));
  const handle = async ({ records }: LogBatch): Promise<void> => void handled.push(...records.map(({ offset }) => offset));
  const inner = { batchSize: 10, lingerMs: 1, handle, ...(own && { cursor: async () => own?.position }) };
  const consumer = new TalliedConsumer({ spool, consumer: inner, cursorFile: file, now: () => nowMs });
  return { consumer, begins: await consumer.cursor(LOG) };
}

/** As `usageText` has it: all in the first minute of 1970. */
const idOf = (number: number): string => `00000000-0000-7000-8000-01${number.toString(16).padStart(10, '0')}`;

function batch(from: number, to: number): LogBatch {
  const records = Array.from({ length: to - from }, (_, index) => toLogRecord(BigInt(from + index), usageText(from + index)));
  return { partition: LOG, records, nextOffset: BigInt(to) };
}

const countsOf = (consumer: TalliedConsumer): number[] => consumer.tallied?.minutes.map(({ count }) => count) ?? [];

describe('a tallied consumer', () => {
  it('counts each event in the minute of its id, and goes on counting after a restart', async () => {
    const first = await start();
    expect(first.begins).toBeUndefined();
    await first.consumer.handle(batch(1, 4));
    const second = await start();
    expect(second.begins).toBe(4n);
    await second.consumer.handle(batch(4, 6));
    const xor = [1, 2, 3, 4, 5].map((number) => BigInt(`0x${idOf(number).replaceAll('-', '')}`)).reduce((sum, bits) => sum ^ bits);
    expect(second.consumer.tallied).toEqual({ since: 0, minutes: [{ minute: 0, count: 5, idXor: xor.toString(16).padStart(32, '0') }] });
  });

  it('counts nothing that could not be handed on', async () => {
    const { consumer } = await start();
    await consumer.handle(batch(1, 4));
    handled.push = () => {
      throw new Error('away');
    };
    await expect(consumer.handle(batch(4, 6))).rejects.toThrow('away');
    expect(countsOf(consumer)).toEqual([3]);
  });

  it('beside a cursor in a database, counts what a kill left uncounted, and nothing twice', async () => {
    own = { position: undefined };
    await (await start()).consumer.handle(batch(1, 4));
    own = { position: 6n };
    const ahead = await start();
    expect(ahead.begins).toBe(4n);
    await ahead.consumer.handle(batch(4, 8));
    own = { position: 2n };
    const behind = await start();
    expect(behind.begins).toBe(2n);
    await behind.consumer.handle(batch(2, 9));
    expect(countsOf(behind.consumer)).toEqual([8]);
  });

  it.each([
    ['segments are gone that nobody counted', { begin: 900n, end: 1_000n }],
    ['a power loss took the end that was counted', { begin: 0n, end: 2n }],
  ])('says from when on its counts are whole, when %s', async (_what, place) => {
    await (await start()).consumer.handle(batch(1, 4));
    Object.assign(spool, place);
    const { consumer } = await start();
    expect(consumer.tallied).toEqual({ since: nowMs, minutes: [] });
  });

  it('begins to count where an older version left its cursor', async () => {
    own = { position: 500n };
    const { consumer, begins } = await start();
    expect([begins, consumer.tallied?.since]).toEqual([500n, nowMs]);
  });
});
