import type { Candidate } from './candidate.js';
import type { Slice } from './measurement.js';
import { paired, slicesOf } from './paired-slices.js';
import type { RelayRun } from './relay-run.js';
import { writeMachine } from './report.js';
import { median } from './statistics.js';
import { writeSpreadOf, writeTable } from './tables.js';
import type { Workload } from './workload.js';

const NAMES: readonly Candidate['name'][] = ['nginx', 'in all', 'one process', 'two processes', 'two gateways'];
const PARTS = ['gateway', 'other gateway', 'adapter'];
const BEHIND = ['billing', 'account', 'Kafka', 'Redis', 'PostgreSQL'];
const GOAL_RATIO = 20;

/** The run as Markdown: one table per workload, what two processes cost over one, and memory. */
export function writeServiceReport(run: RelayRun): string {
  const names = NAMES.filter((name) => run.slices.some((slice) => slice.candidate === name));
  return [`${writeMachine(run)} Load behind the slices: ${writeSpreadOf(run.slices.map(({ load }) => load), 1)}.`, ...run.workloads.map((workload) => writeWorkload(run, workload, names)), writeStores(run, names), writeDifference(run), writeMemory(run, names), writeGoals(run)].join('\n\n');
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
      ...writeWhole(run, workload, name),
      median(own.map(({ requestsPerSecond }) => requestsPerSecond)).toFixed(0),
      writeSpreadOf(own.map(({ latencyMs }) => latencyMs.p50), 2),
      writeSpreadOf(own.map(({ latencyMs }) => latencyMs.p99), 2),
    ];
  });
  const header = ['', 'CPU µs per request', 'gateway', 'other gateway', 'adapter', '× nginx, paired', 'with billing, account, Kafka, Redis, PostgreSQL', '× nginx, paired', 'requests/s', 'p50 ms', 'p99 ms'];
  return `**${workload.title}**\n\n${writeTable(header, rows)}`;
}

/** Everything that a request costs, every store counted, by itself and against nginx. */
function writeWhole(run: RelayRun, workload: Workload, name: Candidate['name']): [string, string] {
  const own = slicesOf(run, workload, name).filter(({ behindCpuUs }) => behindCpuUs !== undefined);
  if (own.length === 0) return ['–', '–'];
  const whole = ({ cpuUs, behindCpuUs = 0 }: Slice): number => cpuUs + behindCpuUs;
  const ratios = paired({ run, workload, compare: (slice, limit) => whole(slice) / limit.cpuUs }, name);
  return [writeSpreadOf(own.map(whole), 1), ratios.length > 0 ? writeSpreadOf(ratios, 2) : '–'];
}

function writeShare(own: readonly Slice[], part: string): string {
  const shares = own.flatMap(({ cpuUsBy }) => cpuUsBy?.[part] ?? []);
  return shares.length > 0 ? median(shares).toFixed(1) : '–';
}

/** Who takes how much of what stands behind the gateways. */
function writeStores(run: RelayRun, names: readonly Candidate['name'][]): string {
  const rows = run.workloads.flatMap((workload) =>
    names.flatMap((name) => {
      const shares = slicesOf(run, workload, name).flatMap(({ behindCpuUsBy }) => (behindCpuUsBy ? [behindCpuUsBy] : []));
      return shares.length > 0 ? [[`${name}, ${workload.title}`, ...BEHIND.map((part) => median(shares.map((share) => share[part] ?? 0)).toFixed(1))]] : [];
    }),
  );
  return `**Behind the gateways, CPU µs per request**\n\n${writeTable(['', ...BEHIND], rows)}`;
}

function writeGoals(run: RelayRun): string {
  const rows = run.workloads.map((workload) => {
    const [, ratio] = writeWhole(run, workload, 'one process');
    return [`${workload.title}, everything of one process`, `≤ ${GOAL_RATIO} × nginx`, ratio === '–' ? ratio : `${ratio} ×`];
  });
  return `**Goals**\n\n${writeTable(['', 'goal', 'measured'], rows)}`;
}

function writeDifference(run: RelayRun): string {
  const rows = run.workloads.flatMap((workload) =>
    (['two processes', 'two gateways'] as const).map((name) => {
      const against = (compare: (two: Slice, one: Slice) => number): number[] => paired({ run, workload, against: 'one process', compare }, name);
      const [more, ratio, rate] = [against((two, one) => two.cpuUs - one.cpuUs), against((two, one) => two.cpuUs / one.cpuUs), against((two, one) => two.requestsPerSecond / one.requestsPerSecond)];
      return [`${name}, ${workload.title}`, ...[more, ratio, rate].map((values, index) => (values.length > 0 ? writeSpreadOf(values, index === 0 ? 1 : 2) : '–'))];
    }),
  );
  return `**Against one process, paired**\n\n${writeTable(['', 'CPU µs more per request', '×', 'requests/s, ×'], rows)}`;
}

function writeMemory(run: RelayRun, names: readonly Candidate['name'][]): string {
  const rows = names.map((name) => {
    const own = run.slices.filter(({ candidate }) => candidate === name);
    const adapter = own.flatMap(({ residentMbBy }) => residentMbBy?.['adapter'] ?? []);
    return [name, String(run.idleMb[name] ?? '?'), String(Math.max(...own.map(({ residentMb }) => residentMb))), adapter.length > 0 ? String(Math.max(...adapter)) : '–'];
  });
  return `**Resident memory, MB** (nginx: its worker; else the gateway's process)\n\n${writeTable(['', 'idle', 'highest', 'adapter, highest'], rows)}`;
}
