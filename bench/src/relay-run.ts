import type { ChildProcess } from 'node:child_process';
import type { BenchContext } from './bench-part.js';
import { startProgram, stopProgram } from './candidate.js';
import type { Candidate, CandidateOptions } from './candidate.js';
import { currentLoad } from './machine.js';
import type { Machine } from './machine.js';
import { measure } from './measurement.js';
import type { Slice } from './measurement.js';
import { MEASURED_CPU, MEASURING_CPU, pin } from './pinning.js';
import { residentMemory } from './process-tree.js';
import { workloadNamed } from './workload.js';
import type { Workload } from './workload.js';

export interface RelayRun {
  machine: Machine;
  /** Megabytes of each candidate's process that does the work, before the first request. */
  idleMb: Record<string, number>;
  workloads: readonly Workload[];
  slices: readonly Slice[];
}

export interface RelayField {
  workloads: readonly Workload[];
  /** Default 1. */
  warmUpCycles?: number;
  /** Starts the candidates and hands each over at once, so that it is stopped whatever happens to the next. */
  start(settings: CandidateOptions, add: (candidate: Candidate) => void): Promise<void>;
}

const CYCLES = 8;
const QUICK_CYCLES = 2;
const QUICK_SHARE = 0.4;

/** Relays in turns on one upstream stand-in; what relays on one processor, provider and clients on another. */
export async function runRelays({ options, machine, folder, interrupted, say }: BenchContext, field: RelayField): Promise<RelayRun & { whole: boolean }> {
  const candidates: Candidate[] = [];
  const programs: ChildProcess[] = [];
  try {
    const upstream = await startProgram('./upstream-main.js');
    programs.push(upstream.child);
    const load = await startProgram('./load-main.js');
    programs.push(load.child);
    const nodeOptions = options.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${options.profile}`];
    await field.start({ upstreamPort: upstream.port, folder, nodeOptions }, (candidate) => candidates.push(candidate));
    if (machine.pinned) {
      for (const { pid } of programs) pin(pid ?? 0, MEASURING_CPU);
      for (const { processes, behind } of candidates) for (const { processId } of [...processes, ...behind]) pin(processId, MEASURED_CPU);
    }
    const idleMb = Object.fromEntries(candidates.map(({ name, memoryProcessId }) => [name, residentMemory(memoryProcessId).residentMb]));
    const workloads = chosenWorkloads(field.workloads, options);
    const cycles = options.cycles ?? (options.quick ? QUICK_CYCLES : CYCLES);
    const slices = await Promise.race([measure({ candidates, workloads, load: load.child, cycles, warmUpCycles: field.warmUpCycles ?? 1, onSlice: (slice) => say(writeSlice(slice)) }), interrupted]);
    const whole = !options.quick && options.only === undefined && options.candidates === undefined && options.profile === undefined;
    return { machine: { ...machine, loadAfter: currentLoad() }, idleMb, workloads, slices, whole };
  } finally {
    for (const candidate of candidates) await candidate.stop();
    for (const program of programs) await stopProgram(program);
  }
}

function chosenWorkloads(all: readonly Workload[], { only, quick }: BenchContext['options']): Workload[] {
  const chosen = only === undefined ? all : only.map(workloadNamed);
  return chosen.map((workload) => (quick ? { ...workload, sliceMs: workload.sliceMs * QUICK_SHARE } : workload));
}

function writeSlice({ cycle, workload, candidate, cpuUs, requestsPerSecond, latencyMs, residentMb, load }: Slice): string {
  return `${cycle} ${workload.padEnd(9)} ${candidate.padEnd(13)} ${cpuUs.toFixed(1).padStart(8)} µs  ${requestsPerSecond.toFixed(0).padStart(6)}/s  p50 ${latencyMs.p50.toFixed(2)} p99 ${latencyMs.p99.toFixed(2)} ms  ${residentMb} MB  load ${load}`;
}
