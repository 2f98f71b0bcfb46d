import type { Candidate } from './candidate.js';
import type { Slice } from './measurement.js';
import type { RelayRun } from './relay-run.js';
import type { Workload } from './workload.js';

export function slicesOf({ slices }: Pick<RelayRun, 'slices'>, { name: workload }: Workload, candidate: Candidate['name']): Slice[] {
  return slices.filter((slice) => slice.workload === workload && slice.candidate === candidate);
}

export interface Pairing {
  run: Pick<RelayRun, 'slices'>;
  workload: Workload;
  /** The other of the pair. */
  against?: Candidate['name'];
  compare: (slice: Slice, other: Slice) => number;
}

/** Compares a candidate with another of the same cycle: a drift of the machine cancels out. */
export function paired({ run, workload, against = 'nginx', compare }: Pairing, name: Candidate['name']): number[] {
  const others = new Map(slicesOf(run, workload, against).map((slice) => [slice.cycle, slice]));
  return slicesOf(run, workload, name).flatMap((slice) => {
    const other = others.get(slice.cycle);
    return other && other.cpuUs > 0 ? [compare(slice, other)] : [];
  });
}
