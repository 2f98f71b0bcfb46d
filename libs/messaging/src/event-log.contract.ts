import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { UsageRecorded } from '@tokone/events';
import type { Consumption, EventLog, LogBatch, LogConsumer, LogRecord } from './event-log.js';
import { ACCOUNT, usageText } from './fixtures/usage-text.js';

/** One log for one test, empty at first. */
export interface EventLogDriver {
  log: EventLog;
  /** Resolves when the text is in the log, behind everything that was written before with the same account. */
  write(raw: string, accountId: string): Promise<void>;
  /** The same log as a restarted process sees it; consumptions of the former `log` were stopped. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

const DEADLINE_MS = 20_000;
/** Shorter than the first pause of a driver's retry may be, longer than stopping an idle loop takes. */
const PROMPT_MS = 2_000;

/** The promises of `EventLog`, the same for every driver. */
export function eventLogContract(name: string, makeDriver: () => Promise<EventLogDriver>): void {
  describe(`EventLog of ${name}`, () => {
    let driver: EventLogDriver;
    let running: Consumption[];
    beforeEach(async () => {
      driver = await makeDriver();
      running = [];
    });
    afterEach(async () => {
      await Promise.all(running.map((consumption) => consumption.stop()));
      await driver.close();
    });
    const writeEvents = async (numbers: number[]): Promise<void> => {
      for (const number of numbers) await driver.write(usageText(number), ACCOUNT);
    };
    const start = async (consumer: LogConsumer): Promise<Consumption> => {
      const consumption = await driver.log.consume(consumer);
      running.push(consumption);
      return consumption;
    };

    handsOver({ writeEvents, start, write: (raw) => driver.write(raw, ACCOUNT) });
    survivesTrouble({ writeEvents, start, restart: () => driver.restart() });
    stopsAndCatchesUp({ writeEvents, start });
  });
}

interface Bench {
  writeEvents(numbers: number[]): Promise<void>;
  start(consumer: LogConsumer): Promise<Consumption>;
}

function handsOver(bench: Bench & { write(raw: string): Promise<void> }): void {
  it('hands over every record, in order, whether written before or after the start', async () => {
    const memory = new MemoryConsumer();
    await bench.writeEvents(range(0, 10));
    const consumption = await bench.start(memory);
    await bench.writeEvents(range(10, 20));
    await consumption.caughtUp(DEADLINE_MS);
    expect(memory.numbers).toEqual(range(0, 20));
  });

  it('gives offsets that grow, and a next offset beyond them, in batches of the wanted size', async () => {
    const memory = new MemoryConsumer({ batchSize: 4 });
    await bench.writeEvents(range(0, 10));
    await (await bench.start(memory)).caughtUp(DEADLINE_MS);
    for (const batch of memory.batches) {
      expect(batch.records.length).toBeGreaterThan(0);
      expect(batch.records.length).toBeLessThanOrEqual(4);
      const offsets = [...batch.records.map((record) => record.offset), batch.nextOffset];
      expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => (a < b ? -1 : 1)));
    }
    expect(memory.numbers).toEqual(range(0, 10));
  });

  it('lets a first record wait for others, up to the linger', async () => {
    const memory = new MemoryConsumer({ batchSize: 3, lingerMs: DEADLINE_MS });
    const consumption = await bench.start(memory);
    await bench.writeEvents([0]);
    await bench.writeEvents([1, 2]);
    await consumption.caughtUp(DEADLINE_MS / 2);
    expect(memory.batches.map((batch) => batch.records.length)).toEqual([3]);
  });

  it('hands over a record that is no event as raw text, between its neighbours', async () => {
    const memory = new MemoryConsumer();
    const broken = ['{"schema":1', '{"schema":3}', 'null', ''];
    await bench.writeEvents([0]);
    for (const raw of broken) await bench.write(raw);
    await bench.writeEvents([1]);
    await (await bench.start(memory)).caughtUp(DEADLINE_MS);
    expect(memory.records.map(({ event, raw }) => (event ? numberOf(event) : raw))).toEqual([0, ...broken, 1]);
    expect(memory.records[0]!.raw).toBe(usageText(0));
  });

  it('waits for its first record in an empty log', async () => {
    const memory = new MemoryConsumer();
    const consumption = await bench.start(memory);
    await consumption.caughtUp(DEADLINE_MS);
    expect(memory.batches).toEqual([]);
    await bench.writeEvents([0]);
    await consumption.caughtUp(DEADLINE_MS);
    expect(memory.numbers).toEqual([0]);
  });
}

function survivesTrouble(bench: Bench & { restart(): Promise<void> }): void {
  it('gives the same batch again to a handler that throws, and skips nothing', async () => {
    const memory = new MemoryConsumer({ batchSize: 2 });
    memory.failures = 3;
    await bench.writeEvents(range(0, 6));
    await (await bench.start(memory)).caughtUp(DEADLINE_MS);
    expect(memory.failed.length).toBe(3);
    for (const batch of memory.failed) expect(batch).toEqual(memory.failed[0]);
    expect(memory.batches[0]).toEqual(memory.failed[0]);
    expect(memory.numbers).toEqual(range(0, 6));
  });

  it('asks for the cursor again when it cannot be had', async () => {
    const memory = new MemoryConsumer();
    memory.cursorFailures = 2;
    await bench.writeEvents([0]);
    await (await bench.start(memory)).caughtUp(DEADLINE_MS);
    expect(memory.numbers).toEqual([0]);
  });

  it('goes on after a restart from the stored cursor, with neither gap nor repetition', async () => {
    const memory = new MemoryConsumer();
    await bench.writeEvents(range(0, 5));
    const first = await bench.start(memory);
    await first.caughtUp(DEADLINE_MS);
    await first.stop();
    await bench.writeEvents(range(5, 8));
    await bench.restart();
    const second = await bench.start(memory);
    await bench.writeEvents(range(8, 10));
    await second.caughtUp(DEADLINE_MS);
    expect(memory.numbers).toEqual(range(0, 10));
  });

  it('gives a batch that failed until the stop again after a restart, and nothing that was stored', async () => {
    const memory = new MemoryConsumer({ batchSize: 2 });
    memory.goodBatches = 1;
    await bench.writeEvents(range(0, 6));
    const first = await bench.start(memory);
    await memory.hasFailed(1);
    await first.stop();
    await bench.restart();
    memory.goodBatches = Infinity;
    await (await bench.start(memory)).caughtUp(DEADLINE_MS);
    expect(memory.failed[0]!.records.length).toBeGreaterThan(0);
    expect(memory.numbers).toEqual(range(0, 6));
  });
}

function stopsAndCatchesUp(bench: Bench): void {
  it('finishes the running batch when it is stopped, and hands over nothing more', async () => {
    const memory = new MemoryConsumer({ batchSize: 1 });
    const gate = memory.close();
    await bench.writeEvents([0, 1]);
    const consumption = await bench.start(memory);
    await gate.reached;
    const stopped = consumption.stop();
    gate.open();
    await stopped;
    expect(memory.numbers).toEqual([0]);
  });

  it('stops promptly while it has nothing to do', async () => {
    const memory = new MemoryConsumer();
    const consumption = await bench.start(memory);
    await consumption.caughtUp(DEADLINE_MS);
    await within(PROMPT_MS, consumption.stop());
  });

  it('stops promptly while a record lingers, which is not lost', async () => {
    const memory = new MemoryConsumer({ batchSize: 10, lingerMs: DEADLINE_MS });
    const consumption = await bench.start(memory);
    await bench.writeEvents([0]);
    await within(PROMPT_MS, consumption.stop());
    memory.lingerMs = 0;
    await (await bench.start(memory)).caughtUp(DEADLINE_MS);
    expect(memory.numbers).toEqual([0]);
  });

  it('stops promptly in the pause after a failure', async () => {
    const memory = new MemoryConsumer();
    memory.failures = Infinity;
    await bench.writeEvents([0]);
    const consumption = await bench.start(memory);
    await memory.hasFailed(5);
    await within(PROMPT_MS, consumption.stop());
    expect(memory.batches).toEqual([]);
  });

  it('says when it has not caught up in time, or was stopped before', async () => {
    const memory = new MemoryConsumer();
    const gate = memory.close();
    await bench.writeEvents([0]);
    const consumption = await bench.start(memory);
    await gate.reached;
    await expect(consumption.caughtUp(20)).rejects.toMatchObject({ name: 'CatchUpError', message: expect.stringContaining('20 ms') });
    gate.open();
    await consumption.caughtUp(DEADLINE_MS);
    await consumption.stop();
    await bench.writeEvents([1]);
    await expect(consumption.caughtUp(DEADLINE_MS)).rejects.toThrow('stopped');
  });
}

/** A consumer that stores its cursor as a database would, and fails on demand. */
class MemoryConsumer implements LogConsumer {
  batchSize: number;
  lingerMs: number;
  readonly batches: LogBatch[] = [];
  readonly failed: LogBatch[] = [];
  failures = 0;
  cursorFailures = 0;
  /** So many batches succeed. */
  goodBatches = Infinity;
  private readonly cursors = new Map<string, bigint>();
  private gate: { opened: Promise<void>; reach(): void } | undefined;
  private failureWatch: (() => void) | undefined;

  constructor(limits: { batchSize?: number; lingerMs?: number } = {}) {
    this.batchSize = limits.batchSize ?? 100;
    this.lingerMs = limits.lingerMs ?? 5;
  }

  get records(): LogRecord[] {
    return this.batches.flatMap((batch) => batch.records);
  }

  get numbers(): number[] {
    return this.records.map(({ event }) => numberOf(event!));
  }

  async cursor(partition: string): Promise<bigint | undefined> {
    if (this.cursorFailures-- > 0) throw new Error('no database');
    return this.cursors.get(partition);
  }

  async handle(batch: LogBatch): Promise<void> {
    this.gate?.reach();
    await this.gate?.opened;
    if (this.failures > 0 || this.batches.length >= this.goodBatches) {
      this.failures--;
      this.failed.push(batch);
      this.failureWatch?.();
      throw new Error('no database');
    }
    this.batches.push(batch);
    this.cursors.set(batch.partition, batch.nextOffset);
  }

  /** Holds handlers until it is opened. */
  close(): { reached: Promise<void>; open(): void } {
    let reach = (): void => undefined;
    let open = (): void => undefined;
    const reached = new Promise<void>((resolve) => (reach = resolve));
    const opened = new Promise<void>((resolve) => (open = resolve));
    this.gate = { opened, reach };
    return { reached, open };
  }

  hasFailed(times: number): Promise<void> {
    const failed = new Promise<void>((resolve) => {
      this.failureWatch = () => this.failed.length >= times && resolve();
    });
    return within(DEADLINE_MS, failed);
  }
}

async function within(deadlineMs: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${deadlineMs} ms`)), deadlineMs);
  });
  await Promise.race([work, late]).finally(() => clearTimeout(timer));
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

function numberOf(event: UsageRecorded): number {
  return event.startedAtMs;
}
