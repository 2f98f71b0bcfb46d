import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CLOSE, eventually, EVERYTHING, filesWith, idOf, OPEN, segmentNames, SpoolFixture, written } from '../test/spool-fixture.js';
import { nodeFiles } from './spool-files.js';

let fixture: SpoolFixture;
beforeEach(() => {
  fixture = new SpoolFixture();
});
afterEach(() => fixture.cleanUp());

describe('read', () => {
  it('follows a writer over hundreds of segments: every record once, in order, none before it was written', async () => {
    const spool = await fixture.open(fixture.folder(), { segmentBytes: 3_000, syncIntervalMs: 1 });
    const total = 3_000;
    const seen: number[] = [];
    let acknowledged = -1;
    const writing = (async () => {
      for (let number = 0; number < total; ) {
        for (let burst = 0; burst <= number % 23 && number < total; burst++) {
          const own = number++;
          spool.append(OPEN, idOf(own), 'x'.repeat(own % 200));
          spool.append(CLOSE, idOf(own), String(own));
          spool.written({ spooled: () => (acknowledged = own) });
        }
        await written(spool);
      }
    })();
    let next: bigint | undefined;
    await eventually('all records', async () => {
      const page = await spool.read(next, { records: 17, bytes: 5_000, types: [CLOSE] });
      for (const record of page.records) {
        expect(Number(record.payload)).toBeLessThanOrEqual(acknowledged);
        seen.push(Number(record.payload));
      }
      if (next !== undefined) expect(page.next).toBeGreaterThanOrEqual(next);
      next = page.next;
      spool.release(next);
      return seen.length >= total;
    }, 60_000);
    await writing;
    expect(seen).toEqual(Array.from({ length: total }, (_, index) => index));
    expect(fixture.alarms).toEqual([]);
  }, 70_000);

  it.each([0, 12, 28])('comes to the end although a kill left a last segment of %i bytes, without a record', async (bytes) => {
    const folder = fixture.folder();
    const spool = await fixture.open(folder);
    spool.append(OPEN, idOf(1), 'x');
    await written(spool);
    await spool.close();
    const first = join(folder, segmentNames(folder)[0]!);
    writeFileSync(first.replace('00000001.segment', '00000002.segment'), readFileSync(first).subarray(0, bytes));
    const again = await fixture.open(folder);
    const page = await again.read(undefined, EVERYTHING);
    expect(page.records.map((record) => record.id)).toEqual([idOf(1)]);
    expect(page.next).toBe(again.end);
    again.append(CLOSE, idOf(1), 'y');
    await written(again);
    await eventually('the record behind it', async () => (await again.read(page.next, EVERYTHING)).records.length === 1);
  });

  it('stops at either limit, and moves past records of other types', async () => {
    const spool = await fixture.open(fixture.folder());
    for (let number = 0; number < 100; number++) spool.append(number === 99 ? CLOSE : OPEN, idOf(number), 'x'.repeat(75));
    await written(spool);
    await eventually('readable', async () => (await spool.read(undefined, EVERYTHING)).records.length === 100);
    expect((await spool.read(undefined, { records: 7, bytes: 1 << 20 })).records.length).toBe(7);
    expect((await spool.read(undefined, { records: 50, bytes: 250 })).records.length).toBe(3);
    const skipped = await spool.read(undefined, { records: 50, bytes: 1_000, types: [CLOSE] });
    expect(skipped.records).toEqual([]);
    expect(skipped.next).toBeGreaterThan(0n);
    const rest = await spool.read(skipped.next, { ...EVERYTHING, types: [CLOSE] });
    expect(rest.records.map((record) => record.id)).toEqual([idOf(99)]);
    expect(rest.next).toBe(spool.end);
    expect(await spool.read(rest.next, EVERYTHING)).toEqual({ records: [], next: rest.next });
  });

  it('serves two readers at different places at once', async () => {
    const spool = await fixture.open(fixture.folder(), { segmentBytes: 1_000 });
    for (let number = 0; number < 50; number++) {
      spool.append(CLOSE, idOf(number), 'x'.repeat(100));
      await written(spool);
    }
    await eventually('readable', async () => (await spool.read(undefined, EVERYTHING)).records.length === 50);
    const walk = async (step: number): Promise<string[]> => {
      const ids: string[] = [];
      for (let next = 0n; ids.length < 50; ) {
        const page = await spool.read(next, { records: step, bytes: 1 << 20 });
        ids.push(...page.records.map((record) => record.id));
        next = page.next;
      }
      return ids;
    };
    const [one, other] = await Promise.all([walk(1), walk(3)]);
    expect(one).toEqual(Array.from({ length: 50 }, (_, number) => idOf(number)));
    expect(other).toEqual(one);
  });

  it('shows a new segment only when its name is durable, and wakes the reader then', async () => {
    let finish = (): void => undefined;
    const files = filesWith({ syncFolder: () => new Promise((resolve) => (finish = resolve)) });
    const opening = fixture.open(fixture.folder(), { files });
    const nothing = finish;
    await eventually('the sync of the folder at open', () => finish !== nothing);
    finish();
    finish = nothing;
    const spool = await opening;
    spool.append(CLOSE, idOf(1), 'x');
    await written(spool);
    await eventually('the sync of the folder', () => finish !== nothing);
    expect((await spool.read(undefined, EVERYTHING)).records).toEqual([]);
    let woken = 0;
    const stop = spool.onWritten(() => woken++);
    files.syncFolder = nodeFiles.syncFolder;
    finish();
    await eventually('the wake-up', () => woken > 0);
    expect((await spool.read(undefined, EVERYTHING)).records.length).toBe(1);
    stop();
    const before = woken;
    spool.append(CLOSE, idOf(2), 'x');
    await written(spool);
    expect(woken).toBe(before);
  });

  it('starts from the beginning, with an alarm, for a position that this log never had', async () => {
    const spool = await fixture.open(fixture.folder());
    spool.append(CLOSE, idOf(1), 'x');
    await written(spool);
    await eventually('readable', async () => (await spool.read(undefined, EVERYTHING)).records.length === 1);
    expect((await spool.read(1n << 60n, EVERYTHING)).records.length).toBe(1);
    expect(fixture.kinds).toEqual(['cursor_ahead']);
  });
});
