import type { Machine } from './machine.js';
import { writeMeasured, writeSpreadOf, writeTable } from './tables.js';

export interface ReplaySlice {
  cycle: number;
  /** Closed requests in the spool that Kafka does not have. */
  records: number;
  /** From the start of the process until it serves, with nothing in the spool. */
  emptyMs: number;
  /** The same with the records: all of them are in Kafka, rated and posted then. */
  fullMs: number;
  /** Records by the time that they cost. */
  recordsPerSecond: number;
  load: number;
}

export function writeReplayReport({ machine, slices }: { machine: Machine; slices: readonly ReplaySlice[] }): string {
  const of = (value: (slice: ReplaySlice) => number, digits: number) => writeSpreadOf(slices.map(value), digits);
  const rows = [
    ['start to ready, empty spool, ms', of(({ emptyMs }) => emptyMs, 0)],
    [`start to ready, ${slices[0]?.records} records, ms`, of(({ fullMs }) => fullMs, 0)],
    ['records/s', of(({ recordsPerSecond }) => recordsPerSecond, 0)],
  ];
  return [`${writeMeasured(machine, slices)} Ready means that every record is in Kafka, rated, posted, and that the fence is passed; totals were checked after each start, to the nano-USD.`, writeTable(['', 'measured'], rows)].join('\n\n');
}
