import { describe, expect, it } from '@jest/globals';
import { MetricFamily } from './metric-family.js';
import { METRICS } from './metric-table.js';
import { Readings } from './readings.js';
import type { Reading } from './readings.js';
import { Level } from './series.js';

type Backlog = Reading<'bill_parked' | 'bill_outbox_rows'>;

function backlog(read: Backlog['read'], { freshMs, deadlineMs = 2_000 }: { freshMs?: number; deadlineMs?: number } = {}) {
  const families = (['bill_parked', 'bill_outbox_rows'] as const).map((name) => new MetricFamily(name, METRICS[name], () => new Level()));
  const readings = new Readings(deadlineMs);
  readings.add({ gauges: ['bill_parked', 'bill_outbox_rows'], read, ...(freshMs !== undefined && { freshMs }) } as unknown as Parameters<Readings['add']>[0], families);
  const look = async (): Promise<(number | undefined)[]> => {
    await readings.refresh();
    return Promise.all(families.map(async (family) => (await family.get()).values[0]?.value));
  };
  return { look };
}

describe('what is read at a look', () => {
  it('fills all its gauges with one answer', async () => {
    const { look } = backlog(async (set) => {
      set('bill_parked', {}, 2);
      set('bill_outbox_rows', {}, 3);
    });
    expect(await look()).toEqual([2, 3]);
  });

  it('has no line after a failure, not even of what was told before it', async () => {
    let fails = false;
    const { look } = backlog(async (set) => {
      set('bill_parked', {}, 2);
      if (fails) throw new Error('away');
      set('bill_outbox_rows', {}, 3);
    });
    expect(await look()).toEqual([2, 3]);
    fails = true;
    expect(await look()).toEqual([undefined, undefined]);
    fails = false;
    expect(await look()).toEqual([2, 3]);
  });

  it('is asked once for as long as its answer is fresh', async () => {
    let asked = 0;
    const { look } = backlog((set) => set('bill_parked', {}, ++asked), { freshMs: 60_000 });
    expect([await look(), await look()]).toEqual([[1, undefined], [1, undefined]]);
  });

  it('is not waited for beyond the deadline, nor asked a second time beside itself, and its late answer counts', async () => {
    let asked = 0;
    let answer = (): void => undefined;
    const { look } = backlog(
      async (set) => {
        asked++;
        await new Promise<void>((resolve) => (answer = resolve));
        set('bill_parked', {}, 5);
      },
      { deadlineMs: 20, freshMs: 60_000 },
    );
    expect(await look()).toEqual([undefined, undefined]);
    expect(await look()).toEqual([undefined, undefined]);
    expect(asked).toBe(1);
    answer();
    expect(await look()).toEqual([5, undefined]);
    expect(asked).toBe(1);
  });

  it('has no line while it is late, though it had one before', async () => {
    let hangs = false;
    const { look } = backlog(
      async (set) => {
        if (hangs) await new Promise(() => undefined);
        set('bill_parked', {}, 1);
      },
      { deadlineMs: 20 },
    );
    expect(await look()).toEqual([1, undefined]);
    hangs = true;
    expect(await look()).toEqual([undefined, undefined]);
  });
});
