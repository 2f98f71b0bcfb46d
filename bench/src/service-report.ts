import type { Candidate } from './candidate.js';
import type { Slice } from './measurement.js';
import { paired, slicesOf } from './paired-slices.js';
import type { RelayRun } from './relay-run.js';
import { writeMachine } from './report.js';
import { median } from './statistics.js';
import { writeSpreadOf, writeTable } from './tables.js';
import type { Workload } from './workload.js';

const NAMES: readonly Candidate['name'][] = ['nginx', 'in all', 'one process', 'two processes'];
const PARTS = ['gateway', 'adapter'];

/** The run as Markdown: one table per workload, what two processes cost over one, and memory. */
export function writeServiceReport(run: RelayRun): string {
  const names = NAMES.filter((name) => run.slices.some((slice) => slice.candidate === name));
  return [`${writeMachine(run)} Load behind the slices: ${writeSpreadOf(run.slices.map(({ load }) => load), 1)}.`, ...run.workloads.map((workload) => writeWorkload(run, workload, names)), writeDifference(run), writeMemory(run, names)].join('\n\n');
}

function writeWorkload(run: RelayRun, workload: Workload, names: readonly Candidate['name'][]): string {
  const rows = names.map((name) => {
    const own = slicesOf(run, workload, name);
    const ratios = name === 'nginx' ? [] : paired({ run, workload, compare: (slice, limit) => slice.cpuUs / limit.cpuUs }, name);
    return [
      name,
      writeSpreadOf(own.map(({ cpuUs }) => cpuUs), 1),
      ...PARTS.map((part) => writeShare(own, part)),
      ratios.length > 0 ? writeSpreadOf(ratios, 2) : '–',
      own.some(({ behindCpuUs }) => behindCpuUs !== undefined) ? writeSpreadOf(own.map(({ cpuUs, behindCpuUs = 0 }) => cpuUs + behindCpuUs), 1) : '–',
      median(own.map(({ requestsPerSecond }) => requestsPerSecond)).toFixed(0),
      writeSpreadOf(own.map(({ latencyMs }) => latencyMs.p50), 2),
      writeSpreadOf(own.map(({ latencyMs }) => latencyMs.p99), 2),
    ];
  });
  const header = ['', 'CPU µs per request', 'gateway', 'adapter', '× nginx, paired', 'with billing, account, Kafka, PostgreSQL', 'requests/s', 'p50 ms', 'p99 ms'];
  return `**${workload.title}**\n\n${writeTable(header, rows)}`;
}

function writeShare(own: readonly Slice[], part: string): string {
  const shares = own.flatMap(({ cpuUsBy }) => cpuUsBy?.[part] ?? []);
  return shares.length > 0 ? median(shares).toFixed(1) : '–';
}

function writeDifference(run: RelayRun): string {
  const rows = run.workloads.map((workload) => {
    const more = paired({ run, workload, against: 'one process', compare: (two, one) => two.cpuUs - one.cpuUs }, 'two processes');
    const ratio = paired({ run, workload, against: 'one process', compare: (two, one) => two.cpuUs / one.cpuUs }, 'two processes');
    return [workload.title, more.length > 0 ? writeSpreadOf(more, 1) : '–', ratio.length > 0 ? writeSpreadOf(ratio, 2) : '–'];
  });
  return `**Two processes against one, paired**\n\n${writeTable(['', 'CPU µs more per request', '×'], rows)}`;
}

function writeMemory(run: RelayRun, names: readonly Candidate['name'][]): string {
  const rows = names.map((name) => {
    const own = run.slices.filter(({ candidate }) => candidate === name);
    const adapter = own.flatMap(({ residentMbBy }) => residentMbBy?.['adapter'] ?? []);
    return [name, String(run.idleMb[name] ?? '?'), String(Math.max(...own.map(({ residentMb }) => residentMb))), adapter.length > 0 ? String(Math.max(...adapter)) : '–'];
  });
  return `**Resident memory, MB** (nginx: its worker; else the gateway's process)\n\n${writeTable(['', 'idle', 'highest', 'adapter, highest'], rows)}`;
}
