import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Spool } from './spool.js';
import { CLOSE, eventually, EVERYTHING, EXTEND, idOf, OPEN, PROGRESS, segmentNames, SpoolFixture, written } from '../test/spool-fixture.js';

let fixture: SpoolFixture;
let folder: string;
beforeEach(() => {
  fixture = new SpoolFixture();
  folder = fixture.folder();
});
afterEach(() => fixture.cleanUp());

const SEGMENT = { segmentBytes: 1_000 };

/** A request that fills one segment by itself. */
async function fill(spool: Spool, number: number): Promise<void> {
  spool.append(OPEN, idOf(number), 'x'.repeat(450));
  spool.append(CLOSE, idOf(number), 'x'.repeat(450));
  await written(spool);
}

/** Settles what the release set going: a sync cycle of its own. */
async function synced(spool: Spool): Promise<void> {
  const strictEnough = spool.end;
  await eventually('readable', async () => (await spool.read(undefined, EVERYTHING)).next >= strictEnough);
}

describe('release', () => {
  it('deletes the segments before the position, never the one that holds it, never the last', async () => {
    const spool = await fixture.open(folder, SEGMENT);
    for (let number = 0; number < 6; number++) await fill(spool, number);
    const names = segmentNames(folder);
    expect(names.length).toBe(6);
    await synced(spool);
    const { records } = await spool.read(undefined, EVERYTHING);
    const third = records.find((record) => record.id === idOf(3))!;
    spool.release(third.position);
    await eventually('deletion', () => segmentNames(folder).length === 3);
    expect(segmentNames(folder)).toEqual(names.slice(3));
    spool.release(spool.end + (1n << 60n));
    await eventually('deletion', () => segmentNames(folder).length === 1);
    expect(segmentNames(folder)).toEqual(names.slice(5));
    await fill(spool, 7);
    await synced(spool);
    expect((await spool.read(undefined, EVERYTHING)).records.map((record) => record.id)).toContain(idOf(7));
  });

  it('keeps everything from the first segment on that an open request needs, until its CLOSE', async () => {
    const spool = await fixture.open(folder, SEGMENT);
    await fill(spool, 0);
    // The request counts from the segment that was active when it was appended: this one, or the one it went to.
    await fill(spool, 1);
    spool.append(OPEN, idOf(99), 'x'.repeat(900));
    await written(spool);
    await fill(spool, 2);
    const names = segmentNames(folder);
    spool.release(spool.end);
    await eventually('deletion', () => segmentNames(folder).length === names.length - 1);
    expect(segmentNames(folder)).toEqual(names.slice(1));
    spool.append(CLOSE, idOf(99), 'done');
    await written(spool);
    await eventually('deletion', () => !segmentNames(folder).includes(names[2]!));
  });

  it('keeps the segments of orphans until they are closed', async () => {
    const first = await fixture.open(folder, SEGMENT);
    first.append(OPEN, idOf(1), 'orphan');
    await first.close();
    const spool = await fixture.open(folder, SEGMENT);
    const oldest = segmentNames(folder)[0]!;
    for (let number = 2; number < 5; number++) await fill(spool, number);
    await synced(spool);
    spool.release(spool.end);
    await fill(spool, 9);
    await synced(spool);
    expect(segmentNames(folder)).toContain(oldest);
    spool.append(CLOSE, idOf(1), 'settled');
    await written(spool);
    await eventually('deletion', () => !segmentNames(folder).includes(oldest));
  });

  it('does not let one endless request hold the disk: its OPEN is carried forward, whole', async () => {
    const spool = await fixture.open(folder, SEGMENT);
    spool.append(OPEN, idOf(77), 'endless');
    spool.append(EXTEND, idOf(77), 'extended');
    for (let number = 100; number < 120; number++) {
      spool.append(PROGRESS, idOf(77), `progress ${number}`);
      await fill(spool, number);
      await synced(spool);
      spool.release(spool.end);
    }
    await eventually('deletion', () => segmentNames(folder).length < 9);
    await spool.close();
    const again = await fixture.open(folder, SEGMENT);
    expect(again.orphans).toEqual([
      { id: idOf(77), open: 'endless', extend: 'extended', progress: 'progress 119', position: expect.anything() },
    ]);
    const types = (await again.read(undefined, EVERYTHING)).records.map((record) => record.type);
    expect(types.filter((type) => type > 5)).toEqual([]);
  });

  it('goes on numbering upwards when everything was consumed and all but the last segment are gone', async () => {
    let end = 0n;
    for (let start = 0; start < 5; start++) {
      const spool = await fixture.open(folder, SEGMENT);
      await fill(spool, start);
      expect(spool.end).toBeGreaterThan(end);
      end = spool.end;
      await spool.close();
      const idle = await fixture.open(folder, SEGMENT);
      idle.release(idle.end);
      await idle.close();
    }
    expect(segmentNames(folder).length).toBeLessThanOrEqual(2);
  });
});
