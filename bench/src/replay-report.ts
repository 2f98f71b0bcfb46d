import type { Machine } from './machine.js';
import { writeMeasured, writeSpreadOf, writeTable } from './tables.js';

export interface ReplaySlice {
  cycle: number;
  /** Closed requests in the spool that Kafka does not have. */
  records: number;
  /** From the start of the gateway's process until all services are ready, with nothing in the spool. */
  emptyMs: number;
  /** The same with the records. */
  readyMs: number;
  /** Until an account whose state Redis has lost is judged by its balance. */
  openMs: number;
  /** Until the last record is posted. */
  postedMs: number;
  /** Records by the time until they are posted, the start of the services included. */
  recordsPerSecond: number;
  load: number;
}

export function writeReplayReport({ machine, slices }: { machine: Machine; slices: readonly ReplaySlice[] }): string {
  const of = (value: (slice: ReplaySlice) => number, digits: number) => writeSpreadOf(slices.map(value), digits);
  const rows = [
    ['start to ready, empty spool, ms', of(({ emptyMs }) => emptyMs, 0)],
    [`start to ready, ${slices[0]?.records} records, ms`, of(({ readyMs }) => readyMs, 0)],
    ['start to the last posting, ms', of(({ postedMs }) => postedMs, 0)],
    ['start to the first request of an account whose state Redis has lost, ms', of(({ openMs }) => openMs, 0)],
    ['records/s, from the start to the ledger', of(({ recordsPerSecond }) => recordsPerSecond, 0)],
  ];
  return [`${writeMeasured(machine, slices)} Ready gateways serve accounts that are open; one that is not waits for the fence, which lets nobody pass before every record is posted. Totals were checked after each start, to the nano-USD.`, writeTable(['', 'measured'], rows)].join('\n\n');
}
