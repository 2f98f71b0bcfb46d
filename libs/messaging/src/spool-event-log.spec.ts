import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SPOOL_RECORD } from '@tokone/events';
import { Spool } from '@tokone/spool';
import type { ConsumptionTrouble } from './consumption-trouble.js';
import { eventLogContract } from './event-log.contract.js';
import type { LogBatch, LogConsumer } from './event-log.js';
import { retryPauseMs } from './retry-pause.js';
import { SpoolEventLog } from './spool-event-log.js';

const openSpool = (folder: string): Promise<Spool> =>
  Spool.open({ folder, now: () => 0, onAlarm: () => undefined, ballastBytes: 0, segmentBytes: 2_000 });
const logOf = (spool: Spool, onTrouble: (trouble: ConsumptionTrouble) => void = () => undefined): SpoolEventLog =>
  new SpoolEventLog(spool, { random: () => 0, onTrouble });
let numbers = 0;
const newId = (): string => `00000000-0000-7000-8000-${(++numbers).toString(16).padStart(12, '0')}`;

function written(spool: Spool): Promise<void> {
  return new Promise((resolve, reject) => spool.written({ spooled: (error) => (error ? reject(error) : resolve()) }));
}

/** Each event among the gateway's own records, CLOSE and REFUSED in turn. */
async function writeEvent(spool: Spool, raw: string): Promise<void> {
  const id = newId();
  spool.append(SPOOL_RECORD.open, id, '{"not":"an event"}');
  spool.append(SPOOL_RECORD.progress, id, '{}');
  spool.append(SPOOL_RECORD.close, id, raw);
  await written(spool);
}

eventLogContract('the spool', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'spool-log-'));
  let spool = await openSpool(folder);
  const driver = {
    log: logOf(spool),
    write: (raw: string) => writeEvent(spool, raw),
    async restart() {
      await spool.close();
      spool = await openSpool(folder);
      driver.log = logOf(spool);
    },
    async close() {
      await spool.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return driver;
});

class Collector implements LogConsumer {
  batchSize = 10;
  lingerMs = 0;
  readonly batches: LogBatch[] = [];
  failures = 0;

  async cursor(): Promise<bigint | undefined> {
    return this.batches.at(-1)?.nextOffset;
  }

  async handle(batch: LogBatch): Promise<void> {
    if (this.failures-- > 0) throw new Error('no database');
    this.batches.push(batch);
  }

  get raw(): string[] {
    return this.batches.flatMap((batch) => batch.records.map((record) => record.raw));
  }
}

describe('SpoolEventLog', () => {
  let folder: string;
  let spool: Spool;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'spool-log-'));
    spool = await openSpool(folder);
  });
  afterEach(async () => {
    await spool.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('hands over CLOSE and REFUSED, and moves past everything else', async () => {
    const collector = new Collector();
    const consumption = await logOf(spool).consume(collector);
    await writeEvent(spool, 'close');
    spool.append(SPOOL_RECORD.refused, newId(), 'refused');
    const open = newId();
    for (let extend = 0; extend < 500; extend++) spool.append(SPOOL_RECORD.extend, open, 'x'.repeat(5_000));
    await consumption.caughtUp(10_000);
    expect(collector.raw).toEqual(['close', 'refused']);
    await consumption.stop();
  });

  it('releases from the spool what is handled, and only that', async () => {
    const collector = new Collector();
    collector.batchSize = 1;
    for (let event = 0; event < 20; event++) await writeEvent(spool, 'x'.repeat(1_000));
    const before = spool.totalBytes;
    collector.failures = Infinity;
    const stuck = await logOf(spool).consume(collector);
    await stuck.stop();
    expect(spool.totalBytes).toBe(before);
    collector.failures = 0;
    const consumption = await logOf(spool).consume(collector);
    await consumption.caughtUp(10_000);
    await consumption.stop();
    await spool.close();
    spool = await openSpool(folder);
    expect(collector.raw.length).toBe(20);
    expect(spool.totalBytes).toBeLessThan(before / 5);
  });

  it('tells of each failure, with pauses that grow', async () => {
    const troubles: ConsumptionTrouble[] = [];
    const collector = new Collector();
    collector.failures = 3;
    await writeEvent(spool, 'x');
    const consumption = await logOf(spool, (trouble) => troubles.push(trouble)).consume(collector);
    await consumption.caughtUp(10_000);
    await consumption.stop();
    expect(troubles.map(({ doing, failures, pauseMs }) => [doing, failures, pauseMs])).toEqual([
      ['handle', 1, 50],
      ['handle', 2, 100],
      ['handle', 3, 200],
    ]);
  });

  it('refuses a second consumer while the first one runs', async () => {
    const log = logOf(spool);
    const first = await log.consume(new Collector());
    await expect(log.consume(new Collector())).rejects.toThrow('has a consumer');
    await first.stop();
    await (await log.consume(new Collector())).stop();
  });
});

describe('retryPauseMs', () => {
  it('doubles up to 5 s and leaves the upper half to chance', () => {
    expect([1, 2, 3, 7, 50].map((failures) => retryPauseMs(failures, () => 0))).toEqual([50, 100, 200, 2_500, 2_500]);
    expect(retryPauseMs(50, () => 1)).toBe(5_000);
  });
});
