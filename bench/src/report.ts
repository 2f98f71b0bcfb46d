import { paired, slicesOf } from './paired-slices.js';
import type { RelayRun } from './relay-run.js';
import { median, spread } from './statistics.js';
import { writeSpread, writeTable } from './tables.js';
import type { Workload } from './workload.js';

const NAMES = ['nginx', 'alone', 'in all'] as const;
type Name = (typeof NAMES)[number];

/** The run as Markdown: the machine, one table per workload, memory, and what is promised beside what was measured. */
export function writeReport(run: RelayRun): string {
  const names = NAMES.filter((name) => run.slices.some((slice) => slice.candidate === name));
  return [writeMachine(run), ...run.workloads.map((workload) => writeWorkload(run, workload, names)), writeMemory(run, names), writeTargets(run)].join('\n\n');
}

export function writeMachine({ machine, slices }: RelayRun): string {
  const { date, processor, processors, memoryGb, system, node, nginx, pinned, loadBefore, loadAfter } = machine;
  const cycles = Math.max(...slices.map((slice) => slice.cycle)) + 1;
  return `Measured on ${date}: ${processor}, ${processors} processors, ${memoryGb} GB, ${system}; Node ${node}, nginx ${nginx}; ${pinned ? 'pinned with taskset' : 'not pinned'}; load of the last minute ${loadBefore} before and ${loadAfter ?? '?'} after the run. ${cycles} cycles, ${slices.length} slices. Median (min..max) over all slices.`;
}

function writeWorkload(run: RelayRun, workload: Workload, names: readonly Name[]): string {
  const streamed = workload.answer === 'paced';
  const header = ['', `CPU µs per ${workload.unit}`, '× nginx, paired', 'requests/s', 'p50 ms', 'p99 ms', ...(streamed ? ['delay of a chunk p50 / p99 ms'] : [])];
  const rows = names.map((name) => {
    const own = slicesOf(run, workload, name);
    const ratios = name === 'nginx' ? [] : paired({ run, workload, compare: (slice, limit) => slice.cpuUs / limit.cpuUs }, name);
    return [
      name,
      writeSpread(spread(own.map((slice) => slice.cpuUs)), 1),
      ratios.length > 0 ? writeSpread(spread(ratios), 2) : '–',
      median(own.map((slice) => slice.requestsPerSecond)).toFixed(0),
      writeSpread(spread(own.map((slice) => slice.latencyMs.p50)), 2),
      writeSpread(spread(own.map((slice) => slice.latencyMs.p99)), 2),
      ...(streamed ? [`${median(own.map((slice) => slice.chunkDelayMs?.p50 ?? 0)).toFixed(2)} / ${median(own.map((slice) => slice.chunkDelayMs?.p99 ?? 0)).toFixed(2)}`] : []),
    ];
  });
  return `**${workload.title}**\n\n${writeTable(header, rows)}`;
}

function writeMemory(run: RelayRun, names: readonly Name[]): string {
  const rows = names.map((name) => {
    const own = run.slices.filter((slice) => slice.candidate === name);
    const cycles = [...new Set(own.map((slice) => slice.cycle))];
    const byCycle = cycles.map((cycle) => Math.max(...own.filter((slice) => slice.cycle === cycle).map((slice) => slice.residentMb)));
    return [name, String(run.idleMb[name] ?? '?'), byCycle.join(' '), String(Math.max(...own.map((slice) => slice.peakMb)))];
  });
  return `**Resident memory of the process itself, MB** (PostgreSQL not included; nginx: its worker)\n\n${writeTable(['', 'idle', 'highest after a slice, cycle by cycle', 'peak'], rows)}`;
}

function writeTargets(run: RelayRun): string {
  const ratio = (name: Name, workloadName: string) => {
    const workload = run.workloads.find((known) => known.name === workloadName);
    return workload ? median(paired({ run, workload, compare: (slice, limit) => slice.cpuUs / limit.cpuUs }, name)) : 0;
  };
  const calm = run.workloads.find((known) => known.name === 'calm');
  const added = (name: Name) => (calm ? median(paired({ run, workload: calm, compare: (slice, limit) => slice.latencyMs.p50 - limit.latencyMs.p50 }, name)) : 0);
  const loaded = Math.max(0, ...run.slices.filter((slice) => slice.candidate === 'alone').map((slice) => slice.residentMb));
  const rows = [
    ['small request, alone', '≤ 4 × nginx (towards 2.5)', `${ratio('alone', 'small').toFixed(2)} ×`],
    ['small request, in all', '≤ 12 × nginx (towards 8)', `${ratio('in all', 'small').toFixed(2)} ×`],
    ['1 MB body, alone', '≤ 7 × nginx (towards 4)', `${ratio('alone', 'body-1m').toFixed(2)} ×`],
    ['p50 added at 20 requests/s, alone', '≤ 1 ms', `${added('alone').toFixed(2)} ms`],
    ['p50 added at 20 requests/s, in all', '≤ 1 ms', `${added('in all').toFixed(2)} ms`],
    ['memory under load, alone', '≤ 300 MB, flat', `${loaded} MB`],
  ];
  return `**Goals**\n\n${writeTable(['', 'goal', 'measured'], rows)}`;
}
