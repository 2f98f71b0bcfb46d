import type { DriverName } from './admission-driver.js';
import type { Machine } from './machine.js';
import { median } from './statistics.js';
import { writeMeasured, writeSpreadOf, writeTable } from './tables.js';

/** One driver for a few seconds. */
export interface AdmissionSlice {
  cycle: number;
  driver: DriverName;
  /** Requests at a time. */
  lanes: number;
  requests: number;
  requestsPerSecond: number;
  reserveMs: { p50: number; p99: number };
  settleMs: { p50: number; p99: number };
  /** Processor time of the calling process, per request. */
  callerCpuUs: number;
  /** The same of Redis. */
  redisCpuUs: number;
  /** Scripts that Redis ran, postings included, and what it says each took. */
  scriptsPerSecond: number;
  scriptUs: number;
  foreignShare: number;
  load: number;
}

export function writeAdmissionReport({ machine, slices }: { machine: Machine; slices: readonly AdmissionSlice[] }): string {
  const lanes = [...new Set(slices.map((slice) => slice.lanes))];
  return [writeMeasured(machine, slices), ...lanes.map((count) => writeLanes(slices.filter((slice) => slice.lanes === count), count))].join('\n\n');
}

function writeLanes(slices: readonly AdmissionSlice[], lanes: number): string {
  const drivers = [...new Set(slices.map(({ driver }) => driver))];
  const rows = drivers.map((driver) => {
    const own = slices.filter((slice) => slice.driver === driver);
    const of = (value: (slice: AdmissionSlice) => number, digits: number): string => writeSpreadOf(own.map(value), digits);
    const redis = median(own.map(({ scriptsPerSecond }) => scriptsPerSecond)) > 0;
    return [
      driver,
      of(({ reserveMs }) => reserveMs.p50, 3),
      of(({ reserveMs }) => reserveMs.p99, 3),
      of(({ settleMs }) => settleMs.p50, 3),
      of(({ settleMs }) => settleMs.p99, 3),
      of(({ requestsPerSecond }) => requestsPerSecond, 0),
      of(({ callerCpuUs }) => callerCpuUs, 1),
      ...(redis ? [of(({ redisCpuUs }) => redisCpuUs, 1), of(({ scriptsPerSecond }) => scriptsPerSecond, 0), of(({ scriptUs }) => scriptUs, 1)] : ['–', '–', '–']),
    ];
  });
  const header = ['', 'reserve p50 ms', 'p99 ms', 'settle p50 ms', 'p99 ms', 'requests/s', 'CPU µs per request, caller', 'Redis', 'scripts/s', 'µs per script'];
  return `**${lanes === 1 ? 'One request' : `${lanes} requests`} at a time**\n\n${writeTable(header, rows)}`;
}
