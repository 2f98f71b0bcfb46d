import { describe, expect, it } from '@jest/globals';
import { SPOOL_RECORD } from '@tokone/events/spool-record';
import { Backlog } from './backlog.js';

/** Records of usage, in writes of so many each, a second apart; each write ends at ten times its number. */
function written(writes: readonly number[], mostStretches?: number): Backlog {
  const backlog = new Backlog(mostStretches);
  for (const [index, records] of writes.entries()) {
    for (let at = 0; at < records; at++) backlog.append(SPOOL_RECORD.close);
    backlog.written(BigInt(index + 1) * 10n, (index + 1) * 1_000);
  }
  return backlog;
}

describe('the backlog', () => {
  it('counts what is not released, and knows since when the oldest waits', () => {
    const backlog = written([2, 3, 4]);
    expect(backlog.unacknowledged).toEqual({ records: 9, oldestAtMs: 1_000 });
    backlog.release(10n);
    expect(backlog.unacknowledged).toEqual({ records: 7, oldestAtMs: 2_000 });
    backlog.release(19n);
    expect(backlog.unacknowledged).toEqual({ records: 7, oldestAtMs: 2_000 });
    backlog.release(30n);
    expect(backlog.unacknowledged).toEqual({ records: 0, oldestAtMs: undefined });
  });

  it('does not count what is the gateway\'s own', () => {
    const backlog = new Backlog();
    for (const type of [SPOOL_RECORD.open, SPOOL_RECORD.progress, SPOOL_RECORD.extend, 254, 255]) backlog.append(type);
    backlog.written(10n, 1_000);
    backlog.append(SPOOL_RECORD.refused);
    expect(backlog.unacknowledged).toEqual({ records: 1, oldestAtMs: undefined });
  });

  it('stays bounded: beyond it neighbours count together, none is lost, and none gets younger', () => {
    const backlog = written(Array.from({ length: 1_000 }, () => 1), 8);
    expect(backlog.unacknowledged).toEqual({ records: 1_000, oldestAtMs: 1_000 });
    let left = 1_000;
    for (let position = 10n; position <= 10_000n; position += 10n) {
      backlog.release(position);
      const { records, oldestAtMs = 0 } = backlog.unacknowledged;
      expect(records).toBeLessThanOrEqual(left);
      expect(records).toBeGreaterThanOrEqual(1_000 - Number(position / 10n));
      if (records > 0) expect(oldestAtMs).toBeLessThanOrEqual(Number(position / 10n + 1n) * 1_000);
      left = records;
    }
    expect(left).toBe(0);
  });
});
