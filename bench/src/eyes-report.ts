import type { Candidate } from './candidate.js';
import { paired, slicesOf } from './paired-slices.js';
import type { RelayRun } from './relay-run.js';
import { writeMachine } from './report.js';
import { median } from './statistics.js';
import { writeSpreadOf, writeTable } from './tables.js';
import type { Workload } from './workload.js';

const NAMES: readonly Candidate['name'][] = ['bare', 'metrics', '1 %', '100 %'];

/** The run as Markdown: one table per workload, memory, and how many spans were lost at full load. */
export function writeEyesReport(run: RelayRun, lost: ReadonlyMap<string, number>): string {
  return [`${writeMachine(run)} Load behind the slices: ${writeSpreadOf(run.slices.map(({ load }) => load), 1)}.`, ...run.workloads.map((workload) => writeWorkload(run, workload)), writeMemory(run, lost)].join('\n\n');
}

function writeWorkload(run: RelayRun, workload: Workload): string {
  const rows = NAMES.map((name) => {
    const own = slicesOf(run, workload, name);
    const more = name === 'bare' ? [] : paired({ run, workload, against: 'bare', compare: (slice, bare) => slice.cpuUs - bare.cpuUs }, name);
    const ratio = name === 'bare' ? [] : paired({ run, workload, against: 'bare', compare: (slice, bare) => slice.cpuUs / bare.cpuUs }, name);
    return [
      name,
      writeSpreadOf(own.map(({ cpuUs }) => cpuUs), 1),
      more.length > 0 ? writeSpreadOf(more, 1) : '–',
      ratio.length > 0 ? writeSpreadOf(ratio, 2) : '–',
      median(own.map(({ requestsPerSecond }) => requestsPerSecond)).toFixed(0),
      writeSpreadOf(own.map(({ latencyMs }) => latencyMs.p50), 2),
      writeSpreadOf(own.map(({ latencyMs }) => latencyMs.p99), 2),
    ];
  });
  return `**${workload.title}**\n\n${writeTable(['', 'CPU µs per request', 'more than bare, paired', '×', 'requests/s', 'p50 ms', 'p99 ms'], rows)}`;
}

function writeMemory(run: RelayRun, lost: ReadonlyMap<string, number>): string {
  const rows = NAMES.map((name) => [name, String(run.idleMb[name] ?? '?'), String(Math.max(...run.slices.filter(({ candidate }) => candidate === name).map(({ residentMb }) => residentMb))), String(lost.get(name) ?? 0)]);
  return `**Resident memory, MB, and spans that the receiver did not take in time**\n\n${writeTable(['', 'idle', 'highest', 'spans lost'], rows)}`;
}
