import { readFileSync, readdirSync } from 'node:fs';

/** `_SC_CLK_TCK` is 100 on every Linux that Node runs on. */
const TICK_US = 10_000;

/** A process and all that descend from it, itself first. */
export function processTree(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const parent = Number(statFields(pid)?.[1] ?? -1);
    children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const tree = [root];
  for (let at = 0; at < tree.length; at++) tree.push(...(children.get(tree[at] ?? -1) ?? []));
  return tree;
}

/** Processor time of one process, all threads, user and system, without its children; 0 when it is gone. Microseconds. */
export function ownProcessorTimeUs(pid: number): number {
  const fields = statFields(pid);
  return (Number(fields?.[11] ?? 0) + Number(fields?.[12] ?? 0)) * TICK_US;
}

/** Milliseconds since 1970 at which a process began, to a tick; undefined when it is gone. */
export function processStartedAtMs(pid: number): number | undefined {
  const startTicks = statFields(pid)?.[19];
  const bootSeconds = /^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'latin1'))?.[1];
  if (startTicks === undefined || bootSeconds === undefined) return undefined;
  return Number(bootSeconds) * 1_000 + (Number(startTicks) * TICK_US) / 1_000;
}

/** Processor time of a process tree, all threads, user and system, ended children included. Microseconds. */
export function processorTimeUs(root: number): number {
  let ticks = 0;
  for (const pid of processTree(root)) {
    const fields = statFields(pid);
    // proc(5): utime, stime, cutime, cstime are fields 14 to 17; the list starts behind the name, at field 3.
    for (const index of [11, 12, 13, 14]) ticks += Number(fields?.[index] ?? 0);
  }
  return ticks * TICK_US;
}

export interface ResidentMemory {
  residentMb: number;
  /** Highest value since the process began. */
  peakMb: number;
}

/** Of one process, without its children. */
export function residentMemory(pid: number): ResidentMemory {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const read = (name: string) => Math.round(Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) / 1024);
  return { residentMb: read('VmRSS'), peakMb: read('VmHWM') };
}

/** Fields behind the name, which may itself hold spaces and parentheses; undefined when the process is gone. */
function statFields(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
