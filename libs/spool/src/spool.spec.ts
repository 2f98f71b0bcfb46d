import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CLOSE, eventually, EVERYTHING, filesWith, idOf, OPEN, PROGRESS, readAll, segmentNames, SpoolFixture, written } from '../test/spool-fixture.js';
import { nodeFiles } from './spool-files.js';

let fixture: SpoolFixture;
beforeEach(() => {
  fixture = new SpoolFixture();
});
afterEach(() => fixture.cleanUp());

describe('Spool', () => {
  it('gives back what was appended, in order, also after a restart', async () => {
    const folder = fixture.folder();
    const spool = await fixture.open(folder);
    const records = [
      { type: OPEN, id: idOf(1), payload: '{"a":1}' },
      { type: PROGRESS, id: idOf(1), payload: 'zwölf €, 🜚' },
      { type: CLOSE, id: idOf(1), payload: '' },
    ];
    for (const { type, id, payload } of records) spool.append(type, id, payload);
    await written(spool);
    await eventually('readable', async () => (await readAll(spool)).length === 3);
    expect(await readAll(spool)).toEqual(records);
    await spool.close();
    const again = await fixture.open(folder);
    expect(await readAll(again)).toEqual(records);
    expect(again.id).toBe(spool.id);
    expect(again.orphans).toEqual([]);
    expect(fixture.alarms).toEqual([]);
  });

  it('writes all records of one turn of the event loop with one write, and runs the waiters in order', async () => {
    let writes = 0;
    const files = filesWith({ writeSync: (...call) => (writes++, nodeFiles.writeSync(...call)) });
    const spool = await fixture.open(fixture.folder(), { files });
    spool.append(OPEN, idOf(0), 'first');
    await written(spool);
    writes = 0;
    const order: number[] = [];
    for (let number = 1; number <= 50; number++) {
      spool.append(OPEN, idOf(number), 'x');
      spool.written({ spooled: () => order.push(number) });
    }
    expect(writes).toBe(0);
    await written(spool);
    expect(writes).toBe(1);
    expect(order).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
  });

  it('syncs in groups, and only when something was written', async () => {
    let syncs = 0;
    const files = filesWith({ fdatasync: (descriptor, done) => (syncs++, nodeFiles.fdatasync(descriptor, done)) });
    const spool = await fixture.open(fixture.folder(), { files, syncIntervalMs: 1 });
    for (let turn = 0; turn < 20; turn++) {
      spool.append(OPEN, idOf(turn), 'x');
      spool.append(CLOSE, idOf(turn), 'x');
      await written(spool);
    }
    await eventually('a sync', () => syncs > 0);
    await spool.close();
    const before = syncs;
    const idle = await fixture.open(fixture.folder(), { files, syncIntervalMs: 1 });
    await written(idle);
    await idle.close();
    expect(before).toBeLessThanOrEqual(20);
    expect(syncs).toBe(before);
  });

  it('runs waiters only after the fdatasync in strict mode', async () => {
    let finishSync = (): void => undefined;
    const files = filesWith({
      fdatasync: (descriptor, done) => {
        finishSync = () => nodeFiles.fdatasync(descriptor, done);
      },
    });
    const spool = await fixture.open(fixture.folder(), { files, strict: true, syncIntervalMs: 1 });
    let told = false;
    const nothing = finishSync;
    spool.append(OPEN, idOf(1), 'x');
    spool.written({ spooled: () => (told = true) });
    await eventually('the sync to begin', () => finishSync !== nothing);
    expect(spool.end).toBeGreaterThan(0n);
    expect(told).toBe(false);
    finishSync();
    await eventually('the waiter', () => told);
    files.fdatasync = nodeFiles.fdatasync;
    await written(spool);
  });

  it('does not forget, in strict mode, who asks during a sync and appends nothing', async () => {
    let finishSync: (() => void) | undefined;
    const files = filesWith({ fdatasync: (descriptor, done) => (finishSync = () => nodeFiles.fdatasync(descriptor, done)) });
    const spool = await fixture.open(fixture.folder(), { files, strict: true, syncIntervalMs: 1 });
    spool.append(OPEN, idOf(1), 'x');
    const first = written(spool);
    await eventually('the sync to begin', () => finishSync !== undefined);
    let told = false;
    spool.written({ spooled: () => (told = true) });
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    finishSync?.();
    await first;
    await eventually('the waiter', () => told);
    files.fdatasync = nodeFiles.fdatasync;
  });

  it('lists requests without a CLOSE as orphans, with their last PROGRESS and EXTEND', async () => {
    const folder = fixture.folder();
    const spool = await fixture.open(folder);
    for (const number of [1, 2, 3]) spool.append(OPEN, idOf(number), `open ${number}`);
    spool.append(2, idOf(2), 'early');
    spool.append(2, idOf(2), 'late');
    spool.append(3, idOf(2), 'more');
    spool.append(CLOSE, idOf(1), 'done');
    await written(spool);
    await spool.close();
    const second = await fixture.open(folder);
    expect(second.orphans.map(({ position: _, ...orphan }) => orphan)).toEqual([
      { id: idOf(2), open: 'open 2', progress: 'late', extend: 'more' },
      { id: idOf(3), open: 'open 3', progress: undefined, extend: undefined },
    ]);
    const at = await second.read(second.orphans[1]!.position, { records: 1, bytes: 1 });
    expect(at.records[0]).toMatchObject({ type: OPEN, id: idOf(3) });
    for (const { id } of second.orphans) second.append(CLOSE, id, 'crash');
    await second.close();
    expect((await fixture.open(folder)).orphans).toEqual([]);
  });

  it('forgets an orphan that is taken back: no later start lists it, and no reader is given a record for it', async () => {
    const folder = fixture.folder();
    const spool = await fixture.open(folder);
    for (const number of [1, 2]) spool.append(OPEN, idOf(number), 'x');
    await spool.close();
    const second = await fixture.open(folder);
    second.takeBack(idOf(1));
    expect(second.openRequests).toBe(1);
    await second.close();
    const third = await fixture.open(folder);
    expect(third.orphans.map(({ id }) => id)).toEqual([idOf(2)]);
    expect(await readAll(third)).toEqual([1, 2].map((number) => ({ type: OPEN, id: idOf(number), payload: 'x' })));
  });

  it('never writes to a segment of an earlier start, and positions only grow', async () => {
    const folder = fixture.folder();
    let last = -1n;
    const sizes = new Map<string, number>();
    for (let start = 0; start < 4; start++) {
      const spool = await fixture.open(folder);
      spool.append(OPEN, idOf(start), 'x');
      await written(spool);
      expect(spool.end).toBeGreaterThan(last);
      last = spool.end;
      await spool.close();
      for (const [name, size] of sizes) expect(statSync(join(folder, name)).size).toBe(size);
      for (const name of segmentNames(folder)) sizes.set(name, statSync(join(folder, name)).size);
    }
    expect(sizes.size).toBe(4);
  });

  it('refuses what is no record, and the next record is whole', async () => {
    const folder = fixture.folder();
    const spool = await fixture.open(folder);
    expect(() => spool.append(OPEN, 'no uuid', 'x')).toThrow(expect.objectContaining({ code: 'invalid' }));
    expect(() => spool.append(OPEN, idOf(1).toUpperCase().replace('7', 'A'), 'x')).toThrow(expect.objectContaining({ code: 'invalid' }));
    expect(() => spool.append(OPEN, idOf(1), 'x'.repeat(65_537))).toThrow(expect.objectContaining({ code: 'invalid' }));
    expect(() => spool.append(OPEN, idOf(1), '€'.repeat(30_000))).toThrow(expect.objectContaining({ code: 'invalid' }));
    expect(() => spool.append(OPEN, idOf(1), 'x'.repeat(2_000_000))).toThrow(expect.objectContaining({ code: 'invalid' }));
    spool.append(OPEN, idOf(1), 'x'.repeat(65_536));
    await written(spool);
    await spool.close();
    const again = await fixture.open(folder);
    expect(again.orphans.map((orphan) => orphan.open.length)).toEqual([65_536]);
  });

  it('takes many megabytes in one turn', async () => {
    const folder = fixture.folder();
    const spool = await fixture.open(folder, { segmentBytes: 3_000_000 });
    for (let number = 0; number < 200; number++) spool.append(OPEN, idOf(number), 'y'.repeat(60_000));
    await written(spool);
    await spool.close();
    expect((await fixture.open(folder)).orphans.length).toBe(200);
    expect(segmentNames(folder).length).toBeGreaterThan(3);
  });

  it.each([
    { title: 'small segments', options: { segmentBytes: 2_000, highWaterBytes: 10_000 } },
    { title: 'segments of its own choice', options: { highWaterBytes: 100_000 } },
  ])('with $title stops admitting above the high water, and admits again once the consumer has released enough', async ({ options }) => {
    const spool = await fixture.open(fixture.folder(), options);
    expect(spool.accepting).toBe(true);
    for (let number = 0; spool.accepting; number++) {
      spool.append(OPEN, idOf(number), 'x'.repeat(500));
      spool.append(CLOSE, idOf(number), 'x'.repeat(500));
      await written(spool);
    }
    expect(fixture.kinds).toEqual(['high_water']);
    spool.append(CLOSE, idOf(0), 'still taken');
    await written(spool);
    spool.release(spool.end);
    await eventually('admission', () => spool.accepting);
    expect(fixture.kinds).toEqual(['high_water', 'below_high_water']);
  });

  it('keeps a reserve of really written bytes, and keeps it when closed', async () => {
    const folder = fixture.folder();
    const spool = await fixture.open(folder, { ballastBytes: 300_000 });
    expect(spool.accepting).toBe(true);
    await spool.close();
    const { size, blocks } = statSync(join(folder, 'ballast'));
    expect(size).toBe(300_000);
    expect(blocks * 512).toBeGreaterThanOrEqual(300_000);
  });

  it('leaks no descriptor and leaves no lock, over many starts', async () => {
    const folder = fixture.folder();
    const count = (): number => readdirSync('/proc/self/fd').length;
    const cycle = async (): Promise<void> => {
      const spool = await fixture.open(folder, { segmentBytes: 200 });
      for (let number = 0; number < 5; number++) {
        spool.append(OPEN, idOf(number), 'x'.repeat(100));
        spool.append(CLOSE, idOf(number), 'x'.repeat(100));
        await written(spool);
      }
      await spool.read(undefined, EVERYTHING);
      await spool.close();
    };
    await cycle();
    const before = count();
    for (let start = 0; start < 10; start++) await cycle();
    expect(count()).toBeLessThanOrEqual(before);
    expect(readdirSync(folder).filter((name) => name.includes('lock'))).toEqual([]);
  });

  it('refuses appends and waiters once it is closed', async () => {
    const spool = await fixture.open(fixture.folder());
    await spool.close();
    expect(spool.accepting).toBe(false);
    expect(() => spool.append(OPEN, idOf(1), 'x')).toThrow(expect.objectContaining({ code: 'closed' }));
    await expect(written(spool)).rejects.toMatchObject({ code: 'closed' });
    await expect(spool.read(undefined, EVERYTHING)).rejects.toMatchObject({ code: 'closed' });
  });
});
