import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CLOSE, EXTEND, idOf, OPEN, PROGRESS, readAll, REFUSED, segmentNames, SpoolFixture, written } from '../test/spool-fixture.js';

let fixture: SpoolFixture;
beforeEach(() => {
  fixture = new SpoolFixture();
});
afterEach(() => fixture.cleanUp());

const HEADER = 28;
const RECORDS = [
  { type: OPEN, id: idOf(1), payload: '{"accountId":"a"}' },
  { type: OPEN, id: idOf(2), payload: '{"accountId":"b","text":"ü€🜚"}' },
  { type: PROGRESS, id: idOf(1), payload: '{"tokens":{"output":3}}' },
  { type: REFUSED, id: idOf(3), payload: '{"outcome":"refused"}' },
  { type: CLOSE, id: idOf(1), payload: '{"outcome":"completed"}' },
  { type: EXTEND, id: idOf(2), payload: '{"holdNanoUsd":"5"}' },
  { type: PROGRESS, id: idOf(2), payload: '' },
];

/** One segment with RECORDS: its name, its bytes, and where each record ends. */
async function sample(records = RECORDS): Promise<{ name: string; bytes: Buffer; ends: number[] }> {
  const folder = fixture.folder();
  const spool = await fixture.open(folder);
  for (const { type, id, payload } of records) spool.append(type, id, payload);
  await written(spool);
  await spool.close();
  const name = segmentNames(folder)[0]!;
  const ends: number[] = [];
  let end = HEADER;
  for (const { payload } of records) ends.push((end += 25 + Buffer.byteLength(payload)));
  const bytes = readFileSync(join(folder, name));
  expect(bytes.length).toBe(end);
  return { name, bytes, ends };
}

/** What a spool over exactly these bytes gives back. */
async function recover(root: string, trial: { name: string; bytes: Uint8Array; number: number }): Promise<typeof RECORDS> {
  const folder = join(root, String(trial.number));
  mkdirSync(folder);
  writeFileSync(join(folder, trial.name), trial.bytes);
  const spool = await fixture.open(folder);
  try {
    return await readAll(spool);
  } finally {
    await spool.close();
  }
}

describe('recovery', () => {
  it('keeps exactly the whole records of a file that is cut at any offset', async () => {
    const { name, bytes, ends } = await sample();
    const root = fixture.quickFolder();
    for (let cut = 0; cut <= bytes.length; cut++) {
      const kept = await recover(root, { name, bytes: bytes.subarray(0, cut), number: cut });
      const whole = ends.filter((end) => end <= cut).length;
      if (kept.length !== whole) throw new Error(`cut at ${cut}: ${kept.length} records, not ${whole}`);
      expect(kept).toEqual(RECORDS.slice(0, whole));
    }
    expect(new Set(fixture.kinds)).toEqual(new Set(['torn_tail']));
  }, 60_000);

  it('takes up writing behind a cut at any offset without losing either side', async () => {
    const { name, bytes, ends } = await sample();
    const root = fixture.quickFolder();
    for (let cut = HEADER - 1; cut <= bytes.length; cut += 7) {
      const folder = join(root, String(cut));
      mkdirSync(folder);
      writeFileSync(join(folder, name), bytes.subarray(0, cut));
      const spool = await fixture.open(folder);
      spool.append(CLOSE, idOf(9), 'after');
      await spool.close();
      const again = await fixture.open(folder);
      const whole = ends.filter((end) => end <= cut).length;
      expect(await readAll(again)).toEqual([...RECORDS.slice(0, whole), { type: CLOSE, id: idOf(9), payload: 'after' }]);
      await again.close();
    }
  }, 60_000);

  it('loses at most the one record that a flipped bit hits, at every byte, and never gives back a wrong one', async () => {
    const { name, bytes, ends } = await sample();
    const root = fixture.quickFolder();
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at]! ^= 1 << (at * 5) % 8;
      const kept = await recover(root, { name, bytes: damaged, number: at });
      const hit = at < HEADER ? -1 : ends.findIndex((end) => at < end);
      expect(kept).toEqual(RECORDS.filter((_, index) => index !== hit));
    }
    expect(new Set(fixture.kinds)).toEqual(new Set(['damaged', 'torn_tail']));
  }, 60_000);

  it('never takes bytes inside a payload for a record, not even a copy of another spool', async () => {
    const stranger = await sample([{ type: CLOSE, id: idOf(66), payload: 'forged' }]);
    const inner = stranger.bytes.subarray(HEADER).toString('latin1');
    const carrier = await sample([
      { type: OPEN, id: idOf(1), payload: inner },
      { type: CLOSE, id: idOf(1), payload: 'true' },
    ]);
    carrier.bytes[HEADER + 5]! ^= 1;
    const kept = await recover(fixture.quickFolder(), { name: carrier.name, bytes: carrier.bytes, number: 0 });
    expect(kept).toEqual([{ type: CLOSE, id: idOf(1), payload: 'true' }]);
  });

  it('passes over zeros that a power loss left in the middle, and says so', async () => {
    const { name, bytes, ends } = await sample();
    bytes.fill(0, ends[1], ends[3]);
    const kept = await recover(fixture.quickFolder(), { name, bytes, number: 0 });
    expect(kept).toEqual([...RECORDS.slice(0, 2), ...RECORDS.slice(4)]);
    expect(fixture.kinds).toContain('damaged');
  });

  it('cuts only the last segment: damage at the end of an earlier one is reported and left', async () => {
    const folder = fixture.folder();
    for (let start = 0; start < 2; start++) {
      const spool = await fixture.open(folder);
      for (const { type, id, payload } of RECORDS) spool.append(type, id, payload);
      await spool.close();
    }
    const first = join(folder, segmentNames(folder)[0]!);
    const whole = readFileSync(first);
    writeFileSync(first, whole.subarray(0, whole.length - 3));
    const spool = await fixture.open(folder);
    expect(await readAll(spool)).toEqual([...RECORDS.slice(0, -1), ...RECORDS]);
    expect(new Set(fixture.kinds)).toEqual(new Set(['damaged']));
    expect(readFileSync(first).length).toBe(whole.length - 3);
  });

  it('refuses a folder with the segments of two spools, and one of a newer version, and touches neither', async () => {
    const one = await sample();
    const two = await sample();
    const folder = fixture.folder();
    writeFileSync(join(folder, one.name), one.bytes);
    writeFileSync(join(folder, two.name), two.bytes);
    await expect(fixture.open(folder)).rejects.toMatchObject({ code: 'foreign' });
    expect(readFileSync(join(folder, one.name))).toEqual(one.bytes);
    const newer = fixture.folder();
    copyFileSync(join(folder, one.name), join(newer, one.name));
    const { writeHeader } = await import('./segment.js');
    const { crc32 } = await import('node:zlib');
    const header = writeHeader(1, 0);
    header.writeUInt32LE(2, 8);
    header.writeUInt32LE(crc32(header.subarray(0, 24)), 24);
    writeFileSync(join(newer, one.name), Buffer.concat([header, one.bytes.subarray(HEADER)]));
    await expect(fixture.open(newer)).rejects.toMatchObject({ code: 'foreign' });
  });
});
