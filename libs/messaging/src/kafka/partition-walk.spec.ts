import { describe, expect, it } from '@jest/globals';
import { waitFor } from '@tokone/testing';
import type { ConsumptionTrouble } from '../consumption-trouble.js';
import { PartitionWalk, type Slice, type SliceMessage } from './partition-walk.js';
import { Turnstile } from './turnstile.js';

const DEADLINE_MS = 5_000;

interface Bench {
  walk: PartitionWalk;
  slices: Slice[];
  handledTo: bigint[];
  rooms: number;
  troubles: ConsumptionTrouble[];
  failures: number;
  /** Held until it is opened. */
  gate: Promise<void>;
}

function bench(limits: { batchSize?: number; lingerMs?: number; turnstile?: Turnstile } = {}): Bench {
  const found: Omit<Bench, 'walk'> = { slices: [], handledTo: [], rooms: 0, troubles: [], failures: 0, gate: Promise.resolve() };
  const walk = new PartitionWalk(
    'topic/3',
    {
      batchSize: limits.batchSize ?? 10,
      lingerMs: limits.lingerMs ?? 0,
      cursor: async () => undefined,
      handle: async (slice) => {
        await found.gate;
        if (found.failures-- > 0) throw new Error('no database');
        found.slices.push(slice);
      },
    },
    {
      turnstile: limits.turnstile ?? new Turnstile(1),
      random: () => 0,
      onTrouble: (trouble) => found.troubles.push(trouble),
      onHandled: (nextOffset) => found.handledTo.push(nextOffset),
      onRoom: () => found.rooms++,
    },
  );
  return Object.assign(found, { walk });
}

function messages(from: number, to: number): SliceMessage[] {
  return Array.from({ length: to - from }, (_, index) => ({ offset: BigInt(from + index), value: Buffer.from(`${from + index}`) }));
}

const handled = (found: Bench, offset: bigint): Promise<unknown> =>
  waitFor(() => found.handledTo.at(-1) === offset, { what: `offset ${offset}`, deadlineMs: DEADLINE_MS, intervalMs: 1 });

describe('PartitionWalk', () => {
  it('hands over what it takes in order, in batches of the wanted size', async () => {
    const found = bench({ batchSize: 4 });
    found.walk.start(100n);
    expect(found.walk.take(messages(100, 103), false)).toBe('taken');
    expect(found.walk.take(messages(103, 110), false)).toBe('taken');
    await handled(found, 110n);
    expect(found.slices.flatMap((slice) => slice.messages.map(({ offset }) => Number(offset)))).toEqual([100, 101, 102, 103, 104, 105, 106, 107, 108, 109]);
    expect(Math.max(...found.slices.map((slice) => slice.messages.length))).toBeLessThanOrEqual(4);
    expect(found.slices[0]!.partition).toBe('topic/3');
    await found.walk.end();
  });

  it('takes nothing twice, and nothing behind what it has', async () => {
    const found = bench();
    found.walk.start(5n);
    expect(found.walk.take(messages(0, 5), false)).toBe('behind');
    expect(found.walk.take(messages(3, 8), false)).toBe('taken');
    expect(found.walk.take(messages(0, 8), false)).toBe('behind');
    await handled(found, 8n);
    expect(found.slices.flatMap((slice) => slice.messages.map(({ offset }) => offset))).toEqual([5n, 6n, 7n]);
    await found.walk.end();
  });

  it('does not pass over a gap, unless it is known to be one', async () => {
    const found = bench();
    found.walk.start(5n);
    expect(found.walk.take(messages(9, 11), false)).toBe('gap');
    expect(found.walk.expected).toBe(5n);
    expect(found.walk.take(messages(9, 11), true)).toBe('taken');
    await handled(found, 11n);
    await found.walk.end();
  });

  it('gives a batch that failed again, the same, before any other', async () => {
    const found = bench({ batchSize: 2 });
    found.failures = 2;
    found.walk.start(0n);
    found.walk.take(messages(0, 6), false);
    await handled(found, 6n);
    expect(found.troubles.map(({ doing, failures, pauseMs }) => [doing, failures, pauseMs])).toEqual([
      ['handle', 1, 50],
      ['handle', 2, 100],
    ]);
    expect(found.handledTo).toEqual([2n, 4n, 6n]);
    await found.walk.end();
  });

  it('hands over in one batch all that came while it waited for its turn', async () => {
    const turnstile = new Turnstile(1);
    let leave = (): void => undefined;
    const inside = turnstile.pass(() => new Promise<void>((resolve) => (leave = resolve)));
    const found = bench({ turnstile });
    found.walk.start(0n);
    for (let offset = 0; offset < 3; offset++) {
      found.walk.take(messages(offset, offset + 1), false);
      await new Promise((resolve) => setImmediate(resolve));
    }
    leave();
    await inside;
    await handled(found, 3n);
    expect(found.slices.map((slice) => slice.messages.length)).toEqual([3]);
    await found.walk.end();
  });

  it('is full at four batches, and says when half of that is gone', async () => {
    const found = bench({ batchSize: 2 });
    let open = (): void => undefined;
    found.gate = new Promise((resolve) => (open = resolve));
    found.walk.start(0n);
    found.walk.take(messages(0, 7), false);
    expect(found.walk.full).toBe(false);
    found.walk.take(messages(7, 9), false);
    expect(found.walk.full).toBe(true);
    expect(found.rooms).toBe(0);
    open();
    await handled(found, 9n);
    expect(found.rooms).toBe(1);
    await found.walk.end();
  });

  it('ends after the running batch, and drops what it has only taken', async () => {
    const found = bench({ batchSize: 2 });
    let open = (): void => undefined;
    found.gate = new Promise((resolve) => (open = resolve));
    found.walk.start(0n);
    found.walk.take(messages(0, 6), false);
    await new Promise((resolve) => setImmediate(resolve));
    const ended = found.walk.end();
    expect(found.walk.take(messages(6, 8), false)).toBe('behind');
    open();
    await ended;
    expect(found.handledTo).toEqual([2n]);
  });

  it('ends at once while records linger, between two attempts, or when it was never started', async () => {
    const lingering = bench({ lingerMs: 60_000 });
    lingering.walk.start(0n);
    lingering.walk.take(messages(0, 1), false);
    const failing = bench();
    failing.failures = Infinity;
    failing.walk.start(0n);
    failing.walk.take(messages(0, 1), false);
    await waitFor(() => failing.troubles.length > 4, { what: 'long pauses', deadlineMs: DEADLINE_MS });
    await Promise.all([lingering.walk.end(), failing.walk.end(), bench().walk.end()]);
    expect([...lingering.slices, ...failing.slices]).toEqual([]);
  });
});
