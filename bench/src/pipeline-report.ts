import type { Machine } from './machine.js';
import { median } from './statistics.js';
import { writeMeasured, writeSpreadOf, writeTable } from './tables.js';

/** One way of a full spool to the ledger. */
export interface PipelineSlice {
  cycle: number;
  /** Repeated ones included. */
  deliveries: number;
  /** Different ones. */
  events: number;
  /** Of the text of one. */
  eventBytes: number;
  /** Usage rows that the tables held before. */
  rowsBefore: number;
  /** From the first send to the last posting. */
  elapsedMs: number;
  /** From the first send to the last acknowledgement of Kafka. */
  shippedMs: number;
  /** Deliveries by the time from first send to last posting. */
  eventsPerSecond: number;
  /** Processor time of everybody, per event. */
  cpuUs: number;
  cpuUsBy: Record<string, number>;
  /** Of PostgreSQL's log, per event. */
  walBytes: number;
  foreignShare: number;
  load: number;
}

export interface PipelineRun {
  machine: Machine;
  accounts: number;
  repeatedShare: number;
  slices: readonly PipelineSlice[];
}

/** What is promised. */
const GOAL_EVENTS_PER_SECOND = 15_000;
const SMALLEST_SHOWN_US = 0.3;

export function writePipelineReport({ machine, accounts, repeatedShare, slices }: PipelineRun): string {
  const [first] = slices;
  const of = (value: (slice: PipelineSlice) => number, digits: number) => writeSpreadOf(slices.map(value), digits);
  const sentences = `${first?.deliveries} deliveries in each of ${slices.length} slices, ${(repeatedShare * 100).toFixed(0)} % of them repeated, ${accounts} accounts, ${first?.eventBytes} bytes an event; tables held ${slices.map(({ rowsBefore }) => rowsBefore).join(', ')} rows before. After each slice every row, every account's sum and balance, and all rules of the ledger were checked, to the nano-USD.`;
  const figures = [
    ['events/s, first send to last posting', `≥ ${GOAL_EVENTS_PER_SECOND}`, of((slice) => slice.eventsPerSecond, 0)],
    ['events/s into Kafka', '', of((slice) => (slice.deliveries / slice.shippedMs) * 1_000, 0)],
    ['processor time, µs per event', '', of((slice) => slice.cpuUs, 1)],
    ['write-ahead log of PostgreSQL, bytes per event', '', of((slice) => slice.walBytes, 0)],
  ];
  return [`${writeMeasured(machine, slices)} ${sentences}`, writeTable(['', 'goal', 'measured'], figures), writeShares(slices)].join('\n\n');
}

function writeShares(slices: readonly PipelineSlice[]): string {
  const labels = [...new Set(slices.flatMap(({ cpuUsBy }) => Object.keys(cpuUsBy)))];
  const rows = labels
    .map((label) => ({ label, values: slices.map(({ cpuUsBy }) => cpuUsBy[label] ?? 0) }))
    .filter(({ values }) => median(values) >= SMALLEST_SHOWN_US)
    .sort((one, other) => median(other.values) - median(one.values))
    .map(({ label, values }) => [label, writeSpreadOf(values, 1)]);
  return `**Where it goes**\n\n${writeTable(['', 'CPU µs per event'], rows)}`;
}
