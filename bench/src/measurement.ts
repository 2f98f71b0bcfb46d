import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Candidate } from './candidate.js';
import type { LoadResult } from './load-run.js';
import { currentLoad } from './machine.js';
import type { WatchedProcess } from './processor-meter.js';
import { processorTimeUs, residentMemory } from './process-tree.js';
import { STREAM_EVENTS } from './workload.js';
import type { Workload } from './workload.js';

/** One candidate under one workload for a few seconds. */
export interface Slice {
  cycle: number;
  workload: string;
  candidate: Candidate['name'];
  requests: number;
  elapsedMs: number;
  requestsPerSecond: number;
  /** Of the candidate's processes with all that descend from them, for each request or chunk of the workload. */
  cpuUs: number;
  /** The same of each process, where the candidate has several. */
  cpuUsBy?: Record<string, number>;
  /** Of what the candidate needs besides. */
  behindCpuUs?: number;
  behindCpuUsBy?: Record<string, number>;
  latencyMs: { p50: number; p99: number };
  chunkDelayMs?: { p50: number; p99: number } | undefined;
  /** Of the candidate's process that does the work, behind the slice. */
  residentMb: number;
  peakMb: number;
  /** Of each process, where the candidate has several. */
  residentMbBy?: Record<string, number>;
  /** Load average of the last minute, behind the slice. */
  load: number;
}

export interface Field {
  candidates: readonly Candidate[];
  workloads: readonly Workload[];
  load: ChildProcess;
  cycles: number;
  /** Whose slices do not count, in front of the others. */
  warmUpCycles: number;
  onSlice: (slice: Slice) => void;
}

const SLICE_DEADLINE_MS = 120_000;
/** Events and the ending of a stream, as they are sent. */
const STREAM_CHUNKS = STREAM_EVENTS + 1;

/**
 * All slices of a run. Candidates take turns within each workload, in alternating direction, so that a drift of the
 * machine meets all of them. Any wrong answer and any answer that was not charged ends the run with an error.
 */
export async function measure(field: Field): Promise<Slice[]> {
  const slices: Slice[] = [];
  const sent = new Map<Candidate, number>();
  for (let cycle = -field.warmUpCycles; cycle < field.cycles; cycle++) {
    for (const workload of field.workloads) {
      const order = cycle % 2 === 0 ? field.candidates : [...field.candidates].reverse();
      for (const candidate of order) {
        const slice = await measureSlice(field.load, candidate, { workload, cycle });
        sent.set(candidate, (sent.get(candidate) ?? 0) + slice.requests);
        if (cycle < 0) continue;
        slices.push(slice);
        field.onSlice(slice);
      }
    }
  }
  for (const [candidate, requests] of sent) await checkCharges(candidate, requests);
  return slices;
}

async function measureSlice(load: ChildProcess, candidate: Candidate, { workload, cycle }: { workload: Workload; cycle: number }): Promise<Slice> {
  const { processes, behind } = candidate;
  const before = spentBy(processes);
  const behindBefore = spentBy(behind);
  const result = await runLoad(load, candidate, workload);
  await candidate.settled();
  const spentUs = difference(before, spentBy(processes));
  const behindUs = difference(behindBefore, spentBy(behind));
  if (result.faults.length > 0 || result.requests === 0) {
    throw new Error(`Wrong answers from ${candidate.name} under "${workload.title}": ${result.faults.join('; ') || 'none at all'}.`);
  }
  const units = result.requests * (workload.unit === 'chunk' ? STREAM_CHUNKS : 1);
  return {
    cycle,
    workload: workload.name,
    candidate: candidate.name,
    requests: result.requests,
    elapsedMs: round(result.elapsedMs),
    requestsPerSecond: round((result.requests / result.elapsedMs) * 1_000),
    cpuUs: round(total(spentUs) / units),
    ...(processes.length > 1 && { cpuUsBy: perUnit(spentUs, units) }),
    ...(behind.length > 0 && { behindCpuUs: round(total(behindUs) / units), behindCpuUsBy: perUnit(behindUs, units) }),
    latencyMs: { p50: round(result.latencyMs.p50), p99: round(result.latencyMs.p99) },
    ...(result.chunkDelayMs && { chunkDelayMs: { p50: round(result.chunkDelayMs.p50), p99: round(result.chunkDelayMs.p99) } }),
    ...residentMemory(candidate.memoryProcessId),
    ...(processes.length > 1 && { residentMbBy: Object.fromEntries(processes.map(({ label, processId }) => [label, residentMemory(processId).residentMb])) }),
    load: currentLoad(),
  };
}

/** Microseconds of each, its descendants included. */
function spentBy(processes: readonly WatchedProcess[]): Map<string, number> {
  return new Map(processes.map(({ label, processId }) => [label, processorTimeUs(processId)]));
}

function difference(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): Map<string, number> {
  return new Map([...after].map(([label, us]) => [label, us - (before.get(label) ?? 0)]));
}

function total(spentUs: ReadonlyMap<string, number>): number {
  return [...spentUs.values()].reduce((sum, us) => sum + us, 0);
}

function perUnit(spentUs: ReadonlyMap<string, number>, units: number): Record<string, number> {
  return Object.fromEntries([...spentUs].map(([label, us]) => [label, round(us / units)]));
}

async function runLoad(load: ChildProcess, { port, key }: Candidate, workload: Workload): Promise<LoadResult> {
  const answer = once(load, 'message', { signal: AbortSignal.timeout(SLICE_DEADLINE_MS) });
  load.send({ port, key, workload });
  return ((await answer) as [LoadResult])[0];
}

async function checkCharges(candidate: Candidate, requests: number): Promise<void> {
  const charged = await candidate.charged();
  if (charged !== undefined && charged !== requests) throw new Error(`${candidate.name} answered ${requests} requests and charged ${charged}.`);
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
