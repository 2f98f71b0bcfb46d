import { describe, expect, it } from '@jest/globals';
import type { LogBatch } from '@tokone/messaging';
import { noBillingMetrics } from '@tokone/telemetry';
import { BatchesInHand, measureBatch } from './batch-measure.js';
import type { CommittedBatch } from './batch-measure.js';

const row = (endedAtMs: number, disagreement = false) => ({ event: { endedAtMs }, amounts: { disagreement } });

function told(batch: { rows: unknown[]; parked: unknown[]; result: CommittedBatch['result']; records: number }): Record<string, number | number[]> {
  const found: Record<string, number | number[]> = {};
  const ages: number[] = [];
  const metrics = { ...noBillingMetrics, events: (result: string, count: number) => void (found[result] = count), differences: (count: number) => void (found['differences'] = count), ratedAge: (milliseconds: number) => void ages.push(milliseconds) };
  const { rows, parked, result, records } = batch;
  measureBatch(metrics, { sorted: { rows, parked } as CommittedBatch['sorted'], result, records, nowMs: 1_000 });
  return { ...found, ages };
}

describe('a batch that is committed', () => {
  it('counts each record once', () => {
    const batch = { rows: [row(900), row(950, true), row(980)], parked: [1, 2], result: { inserted: 1, conflicts: [1], died: 3 }, records: 10 };
    expect(told(batch)).toEqual({ posted: 1, conflict: 1, parked: 2, dead: 3, duplicate: 3, differences: 1, ages: [] });
  });

  it('tells how old its requests are, when all of them are new', () => {
    const batch = { rows: [row(900), row(950)], parked: [], result: { inserted: 2, conflicts: [], died: 0 }, records: 2 };
    expect(told(batch)).toMatchObject({ posted: 2, duplicate: 0, ages: [100, 50] });
  });
});

const batchOf = (partition: string, ...ends: (number | undefined)[]): LogBatch =>
  ({ partition, nextOffset: 1n, records: ends.map((endedAtMs) => ({ offset: 0n, raw: '', event: endedAtMs === undefined ? undefined : { endedAtMs } })) }) as LogBatch;

describe('the batches in hand', () => {
  it('are as old as their oldest request, until they are stored', () => {
    let nowMs = 100_000;
    const inHand = new BatchesInHand(() => nowMs);
    expect(inHand.oldestSeconds).toBe(0);
    inHand.take(batchOf('a', 99_000, undefined, 98_000));
    inHand.take(batchOf('b', 95_000));
    expect(inHand.oldestSeconds).toBe(5);
    inHand.done(batchOf('b'));
    nowMs += 10_000;
    expect(inHand.oldestSeconds).toBe(12);
    inHand.done(batchOf('a'));
    expect(inHand.oldestSeconds).toBe(0);
  });

  it('are forgotten when another process has their partition', () => {
    let nowMs = 100_000;
    const inHand = new BatchesInHand(() => nowMs);
    inHand.take(batchOf('a', 99_000));
    nowMs += 30_001;
    expect(inHand.oldestSeconds).toBe(0);
  });

  it('are no older than now where no record can be read, or a clock is ahead', () => {
    const inHand = new BatchesInHand(() => 100_000);
    inHand.take(batchOf('a', undefined));
    inHand.take(batchOf('b', 500_000));
    expect(inHand.oldestSeconds).toBe(0);
  });
});
