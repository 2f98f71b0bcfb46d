import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CLOSE, eventually, idOf, OPEN, PROGRESS, REFUSED, SpoolFixture, written } from '../test/spool-fixture.js';
import type { Spool } from './spool.js';

let fixture: SpoolFixture;
beforeEach(() => {
  fixture = new SpoolFixture();
});
afterEach(() => fixture.cleanUp());

const WRITTEN_AT_MS = 1_800_000_000_000;

/** A request as it is written: of its records one is for the log. */
async function serve(spool: Spool, id: string): Promise<void> {
  spool.append(OPEN, id, 'x');
  spool.append(PROGRESS, id, 'x');
  spool.append(CLOSE, id, 'x');
  await written(spool);
}

describe('what a log has not acknowledged', () => {
  it('is counted from its writing to its release, and its oldest has the time of its writing', async () => {
    let nowMs = WRITTEN_AT_MS;
    const spool = await fixture.open(fixture.folder(), { now: () => nowMs });
    expect(spool.unacknowledged).toEqual({ records: 0, oldestAtMs: undefined });
    await serve(spool, idOf(1));
    await eventually('the write', () => spool.unacknowledged.oldestAtMs !== undefined);
    const first = spool.end;
    nowMs += 7_000;
    spool.append(REFUSED, idOf(2), 'x');
    await serve(spool, idOf(3));
    await eventually('the write', () => spool.end > first);
    expect(spool.unacknowledged).toEqual({ records: 3, oldestAtMs: WRITTEN_AT_MS });
    spool.release(first);
    expect(spool.unacknowledged).toEqual({ records: 2, oldestAtMs: WRITTEN_AT_MS + 7_000 });
    spool.release(spool.end);
    expect(spool.unacknowledged).toEqual({ records: 0, oldestAtMs: undefined });
  });

  it('outlives the process: the next one counts it again, as old as its ids say, until the consumer says how far it came', async () => {
    const folder = fixture.folder();
    const earlier = await fixture.open(folder);
    // 2020-09-13T12:26:40Z in the first six bytes, and a minute later.
    await serve(earlier, '0174876e-8000-7000-8000-000000000001');
    const position = earlier.end;
    await serve(earlier, '0174876f-6a60-7000-8000-000000000002');
    await earlier.close();
    const spool = await fixture.open(folder);
    expect(spool.unacknowledged).toEqual({ records: 2, oldestAtMs: 0x0174876e8000 });
    spool.release(position);
    expect(spool.unacknowledged).toEqual({ records: 1, oldestAtMs: 0x0174876f6a60 });
    spool.release(spool.end);
    expect(spool.unacknowledged.records).toBe(0);
  });
});
