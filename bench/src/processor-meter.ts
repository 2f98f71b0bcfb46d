import { readFileSync } from 'node:fs';
import type { LedgerView } from '@tokone/testing';
import { currentLoad } from './machine.js';
import { ownProcessorTimeUs, processTree } from './process-tree.js';

/** A process whose time counts under a name; several may share one. */
export interface WatchedProcess {
  label: string;
  processId: number;
}

/** The processes to look at, asked anew at each reading. */
export type Watch = () => Promise<readonly WatchedProcess[]>;

export interface Spending {
  elapsedMs: number;
  /** Microseconds of processor time by label. */
  spentUs: Record<string, number>;
  /** Share of all processors' time, 0 to 1, that was not idle, and that nobody here has spent. */
  foreignShare: number;
  /** Load average of the last minute, at the end. */
  load: number;
}

const TICK_US = 10_000;

/** Who spends the processors' time between two moments. Time of a process that ends in between is not seen. */
export class ProcessorMeter {
  private constructor(
    private readonly watch: Watch,
    private readonly before: Reading,
  ) {}

  static async start(watch: Watch): Promise<ProcessorMeter> {
    return new ProcessorMeter(watch, await read(watch));
  }

  async stop(): Promise<Spending> {
    const { before } = this;
    const after = await read(this.watch);
    const spentUs: Record<string, number> = {};
    for (const [pid, { label, spentUs: total }] of after.processes) {
      spentUs[label] = (spentUs[label] ?? 0) + total - (before.processes.get(pid)?.spentUs ?? 0);
    }
    const ours = Object.values(spentUs).reduce((sum, us) => sum + us, 0);
    const machineUs = after.machine.totalUs - before.machine.totalUs;
    const foreignUs = after.machine.busyUs - before.machine.busyUs - ours;
    return { elapsedMs: after.atMs - before.atMs, spentUs, foreignShare: machineUs > 0 ? Math.max(0, foreignUs / machineUs) : 0, load: currentLoad() };
  }
}

interface Reading {
  atMs: number;
  processes: ReadonlyMap<number, { label: string; spentUs: number }>;
  machine: { busyUs: number; totalUs: number };
}

async function read(watch: Watch): Promise<Reading> {
  const watched = await watch();
  const processes = new Map(watched.map(({ label, processId }) => [processId, { label, spentUs: ownProcessorTimeUs(processId) }]));
  return { atMs: performance.now(), processes, machine: readMachine() };
}

/** proc(5): user nice system idle iowait irq softirq steal, in ticks, of all processors together. */
function readMachine(): { busyUs: number; totalUs: number } {
  const [, ...fields] = (readFileSync('/proc/stat', 'latin1').split('\n', 1)[0] ?? '').split(/\s+/);
  const ticks = fields.slice(0, 8).map(Number);
  const total = ticks.reduce((sum, count) => sum + count, 0);
  return { busyUs: (total - (ticks[3] ?? 0) - (ticks[4] ?? 0)) * TICK_US, totalUs: total * TICK_US };
}

/** A server's backends under the names of who uses them, and the rest of its processes under one of its own. */
export async function watchPostgres(view: LedgerView, postmaster: number): Promise<WatchedProcess[]> {
  const { rows } = await view.pool.query<{ pid: number; name: string }>("SELECT pid, application_name AS name FROM pg_stat_activity WHERE backend_type = 'client backend'");
  const names = new Map(rows.map(({ pid, name }) => [pid, name]));
  return processTree(postmaster).map((processId) => ({ label: `PostgreSQL: ${names.get(processId) ?? 'itself'}`, processId }));
}
