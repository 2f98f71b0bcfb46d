import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CLOSE, diskError, eventually, filesWith, idOf, OPEN, PROGRESS, readAll, segmentNames, SpoolFixture, written } from '../test/spool-fixture.js';
import { nodeFiles } from './spool-files.js';

let fixture: SpoolFixture;
beforeEach(() => {
  fixture = new SpoolFixture();
});
afterEach(() => fixture.cleanUp());

/** A disk that takes `room` more bytes, then refuses with `code`; a short write comes first, as on a real one. */
class FaultyDisk {
  room = Infinity;
  code = 'ENOSPC';
  truncateFails = false;
  syncFails = 0;
  readonly files = filesWith({
    writeSync: (...[descriptor, bytes, offset, length, position]) => {
      const taken = Math.min(length, this.room);
      if (taken === 0) throw diskError(this.code);
      this.room -= taken;
      return nodeFiles.writeSync(descriptor, bytes, offset, taken, position);
    },
    ftruncateSync: (descriptor, length) => {
      if (this.truncateFails) throw diskError('EIO');
      nodeFiles.ftruncateSync(descriptor, length);
    },
    fdatasync: (descriptor, done) => {
      if (this.syncFails > 0) {
        this.syncFails--;
        setImmediate(() => done(diskError('EIO')));
      } else nodeFiles.fdatasync(descriptor, done);
    },
  });
}

describe.each(['ENOSPC', 'EIO'])('a disk that fails with %s', (code) => {
  it.each([0, 1, 7, 8, 30, 100, 150])('after %i more bytes: OPEN is refused at once and gone, CLOSE waits and arrives', async (room) => {
    const folder = fixture.folder();
    const disk = new FaultyDisk();
    disk.code = code;
    const spool = await fixture.open(folder, { files: disk.files, ballastBytes: 4_096 });
    spool.append(OPEN, idOf(1), 'first');
    await written(spool);
    disk.room = room;
    const told: string[] = [];
    const tell = (name: string) => ({ spooled: (error?: Error) => told.push(error ? `${name} refused` : name) });
    spool.append(CLOSE, idOf(1), 'c'.repeat(60));
    spool.written(tell('close 1'));
    spool.append(OPEN, idOf(2), 'o'.repeat(60));
    spool.written(tell('open 2'));
    spool.append(CLOSE, idOf(7), 'c'.repeat(60));
    spool.written(tell('close 7'));
    await eventually('the refusal', () => told.length > 0);
    expect(told).toEqual(['open 2 refused']);
    expect(spool.accepting).toBe(false);
    expect(existsSync(join(folder, 'ballast'))).toBe(false);
    expect(() => spool.append(OPEN, idOf(3), 'x')).toThrow(expect.objectContaining({ code: 'failed' }));
    spool.append(PROGRESS, idOf(8), 'later');
    spool.written(tell('progress 8'));
    disk.room = Infinity;
    await eventually('admission', () => spool.accepting);
    expect(told).toEqual(['open 2 refused', 'close 1', 'close 7', 'progress 8']);
    expect(existsSync(join(folder, 'ballast'))).toBe(true);
    expect(fixture.kinds).toEqual(expect.arrayContaining(['write_failed', 'write_resumed']));
    await spool.close();
    const again = await fixture.open(folder);
    expect((await readAll(again)).map((record) => record.id)).toEqual([idOf(1), idOf(1), idOf(7), idOf(8)]);
    expect(again.orphans).toEqual([]);
  });

  it('takes back an OPEN that stays on disk because the cut fails too', async () => {
    const folder = fixture.folder();
    const disk = new FaultyDisk();
    disk.code = code;
    const spool = await fixture.open(folder, { files: disk.files });
    spool.append(OPEN, idOf(1), 'first');
    await written(spool);
    disk.truncateFails = true;
    disk.room = 80;
    spool.append(OPEN, idOf(2), 'refused');
    const refused = expect(written(spool)).rejects.toMatchObject({ code: 'failed' });
    spool.append(CLOSE, idOf(1), 'c'.repeat(60));
    await refused;
    disk.room = Infinity;
    await written(spool);
    await spool.close();
    const again = await fixture.open(folder);
    expect(again.orphans).toEqual([]);
    const records = await readAll(again);
    expect(records.filter((record) => record.type === CLOSE).length).toBeGreaterThanOrEqual(1);
    expect(fixture.kinds).toContain('damaged');
  });
});

describe('a disk that fails', () => {
  it('admits nothing before the disk has really taken bytes again, although nothing waits to be written', async () => {
    const folder = fixture.folder();
    const disk = new FaultyDisk();
    const spool = await fixture.open(folder, { files: disk.files });
    let refusals = 0;
    const { writeSync } = disk.files;
    disk.files.writeSync = () => {
      refusals++;
      throw diskError('EIO');
    };
    spool.append(OPEN, idOf(1), 'x');
    await expect(written(spool)).rejects.toMatchObject({ code: 'failed' });
    await eventually('several attempts', () => {
      expect(spool.accepting).toBe(false);
      return refusals >= 4;
    });
    expect(fixture.kinds).toEqual(['write_failed']);
    disk.files.writeSync = writeSync;
    await eventually('admission', () => spool.accepting);
    await spool.close();
    expect(await readAll(await fixture.open(folder))).toEqual([]);
  });

  it('refuses an OPEN whose waiter comes only after the failure', async () => {
    const disk = new FaultyDisk();
    const spool = await fixture.open(fixture.folder(), { files: disk.files });
    disk.room = 0;
    spool.append(OPEN, idOf(1), 'x');
    await eventually('the failure', () => !spool.accepting);
    await expect(written(spool)).rejects.toMatchObject({ code: 'failed' });
    disk.room = Infinity;
  });

  it('does not refuse an OPEN that was written before the failure', async () => {
    const disk = new FaultyDisk();
    const spool = await fixture.open(fixture.folder(), { files: disk.files });
    spool.append(OPEN, idOf(1), 'x');
    await eventually('the write', () => spool.end > 0n);
    await written(spool);
    disk.room = 0;
    const late = written(spool);
    spool.append(CLOSE, idOf(9), 'x');
    await eventually('the failure', () => !spool.accepting);
    disk.room = Infinity;
    await late;
  });

  it('keeps what it cannot write in bounded memory, then says that it is full', async () => {
    const folder = fixture.folder();
    const disk = new FaultyDisk();
    const spool = await fixture.open(folder, { files: disk.files, bufferBytes: 3 << 20 });
    disk.room = 0;
    let taken = 0;
    expect(() => {
      for (; taken < 1_000; taken++) spool.append(CLOSE, idOf(taken), 'x'.repeat(50_000));
    }).toThrow(expect.objectContaining({ code: 'full' }));
    expect(taken).toBeGreaterThan(40);
    await eventually('the failure', () => !spool.accepting);
    disk.room = Infinity;
    await eventually('admission', () => spool.accepting);
    expect((await readAll(spool)).map((record) => record.id)).toEqual(Array.from({ length: taken }, (_, index) => idOf(index)));
  });

  it('rejects close when the disk never takes the rest, tells the waiters, and gives the folder free', async () => {
    const folder = fixture.folder();
    const disk = new FaultyDisk();
    const spool = await fixture.open(folder, { files: disk.files });
    disk.room = 0;
    spool.append(CLOSE, idOf(1), 'x');
    const waiting = expect(written(spool)).rejects.toMatchObject({ code: 'closed' });
    await expect(spool.close()).rejects.toMatchObject({ code: 'failed' });
    await waiting;
    await fixture.open(folder);
  });
});

describe('an fdatasync that fails', () => {
  it('seals the segment and writes again what it may have lost', async () => {
    const folder = fixture.folder();
    const disk = new FaultyDisk();
    const spool = await fixture.open(folder, { files: disk.files, syncIntervalMs: 1 });
    disk.syncFails = 1;
    spool.append(OPEN, idOf(1), 'x');
    spool.append(CLOSE, idOf(2), 'x');
    await written(spool);
    await eventually('the alarm', () => fixture.kinds.includes('sync_failed'));
    await eventually('admission', () => spool.accepting);
    spool.append(CLOSE, idOf(3), 'x');
    await spool.close();
    const names = segmentNames(folder);
    expect(names.length).toBe(2);
    // A power loss takes the segment whose sync failed.
    rmSync(join(folder, names[0]!));
    const again = await fixture.open(folder);
    expect((await readAll(again)).map((record) => record.id)).toEqual([idOf(1), idOf(2), idOf(3)]);
    expect(again.orphans.map((orphan) => orphan.id)).toEqual([idOf(1)]);
  });

  it('again and again: admits nothing, does not flood the disk, and loses nothing', async () => {
    const folder = fixture.folder();
    const disk = new FaultyDisk();
    const spool = await fixture.open(folder, { files: disk.files, syncIntervalMs: 1 });
    disk.syncFails = 5;
    spool.append(OPEN, idOf(1), 'x');
    await written(spool);
    await eventually('the alarm', () => fixture.kinds.includes('sync_failed'));
    expect(spool.accepting).toBe(false);
    await eventually('admission', () => spool.accepting);
    expect(disk.syncFails).toBe(0);
    expect(segmentNames(folder).length).toBeLessThanOrEqual(7);
    expect(fixture.kinds.filter((kind) => kind === 'sync_failed').length).toBe(1);
    await spool.close();
    expect((await fixture.open(folder)).orphans.length).toBe(1);
  });

  it('in strict mode does not acknowledge before a later sync succeeds', async () => {
    const disk = new FaultyDisk();
    const spool = await fixture.open(fixture.folder(), { files: disk.files, syncIntervalMs: 1, strict: true });
    disk.syncFails = 1;
    spool.append(OPEN, idOf(1), 'x');
    await written(spool);
    expect(disk.syncFails).toBe(0);
    expect(fixture.kinds).toContain('sync_failed');
  });

  it('in strict mode, with writes that fail then too, refuses the OPEN and takes it back', async () => {
    const folder = fixture.folder();
    const disk = new FaultyDisk();
    const spool = await fixture.open(folder, { files: disk.files, syncIntervalMs: 1, strict: true });
    const { fdatasync } = disk.files;
    disk.files.fdatasync = (_descriptor, done) => {
      disk.room = 0;
      disk.files.fdatasync = fdatasync;
      setImmediate(() => done(diskError('EIO')));
    };
    spool.append(OPEN, idOf(1), 'x');
    await expect(written(spool)).rejects.toMatchObject({ code: 'failed' });
    disk.room = Infinity;
    await eventually('admission', () => spool.accepting);
    await spool.close();
    expect((await fixture.open(folder)).orphans).toEqual([]);
  });
});

describe('the meter of a spool', () => {
  it('hears of each sync with its time, and of each refusal of the disk, those in a row too', async () => {
    const disk = new FaultyDisk();
    const failed: string[] = [];
    const syncs: number[] = [];
    const meter = { synced: (durationMs: number) => void syncs.push(durationMs), failed: (operation: string) => void failed.push(operation) };
    const spool = await fixture.open(fixture.folder(), { files: disk.files, meter });
    spool.append(CLOSE, idOf(1), 'x');
    await written(spool);
    await eventually('a sync', () => syncs.length > 0);
    expect(Math.min(...syncs)).toBeGreaterThanOrEqual(0);
    expect(failed).toEqual([]);
    disk.room = 0;
    spool.append(CLOSE, idOf(2), 'x');
    await eventually('refusals', () => failed.length >= 2);
    expect(new Set(failed)).toEqual(new Set(['write']));
    disk.room = Infinity;
    await eventually('writing', () => spool.accepting);
    disk.syncFails = 1;
    spool.append(CLOSE, idOf(3), 'x');
    await eventually('a failed sync', () => failed.at(-1) === 'sync');
    await eventually('a good sync', () => spool.accepting);
  });
});
