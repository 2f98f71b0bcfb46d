import type { Machine } from './machine.js';
import { median } from './statistics.js';
import { writeMeasured, writeSpreadOf, writeTable } from './tables.js';

export interface LatencySlice {
  cycle: number;
  requests: number;
  requestsPerSecond: number;
  /** Of an answer, at the client. */
  answerMs: { p50: number; p99: number };
  /** From its end to the commit of its charge. Below 0 when the charge was posted before the client had read. */
  postedMs: { p50: number; p99: number; max: number };
  cpuUsBy: Record<string, number>;
  foreignShare: number;
  load: number;
}

const SMALLEST_SHOWN_US = 5;

export function writeLatencyReport({ machine, slices }: { machine: Machine; slices: readonly LatencySlice[] }): string {
  const of = (value: (slice: LatencySlice) => number, digits: number) => writeSpreadOf(slices.map(value), digits);
  const rows = [
    ['answer, p50 ms', '', of(({ answerMs }) => answerMs.p50, 2)],
    ['answer, p99 ms', '', of(({ answerMs }) => answerMs.p99, 2)],
    ['end of the answer to posted charge, p50 ms', '', of(({ postedMs }) => postedMs.p50, 0)],
    ['end of the answer to posted charge, p99 ms', '≤ 2000', of(({ postedMs }) => postedMs.p99, 0)],
    ['end of the answer to posted charge, longest ms', '', of(({ postedMs }) => postedMs.max, 0)],
  ];
  const labels = [...new Set(slices.flatMap(({ cpuUsBy }) => Object.keys(cpuUsBy)))];
  const shares = labels
    .map((label) => ({ label, values: slices.map(({ cpuUsBy }) => cpuUsBy[label] ?? 0) }))
    .filter(({ values }) => median(values) >= SMALLEST_SHOWN_US)
    .sort((one, other) => median(other.values) - median(one.values))
    .map(({ label, values }) => [label, writeSpreadOf(values, 0)]);
  const requests = slices.map((slice) => `${slice.requests} at ${slice.requestsPerSecond.toFixed(0)}/s`).join(', ');
  return [
    `${writeMeasured(machine, slices)} Requests: ${requests}; each was charged, and all rules of the money held.`,
    writeTable(['', 'goal', 'measured'], rows),
    `**Processor time at this rate**\n\n${writeTable(['', 'CPU µs per request'], shares)}`,
  ].join('\n\n');
}
