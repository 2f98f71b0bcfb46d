import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { processTree } from './process-tree.js';

/** What is measured runs on the first processor, what measures it on the second. */
export const MEASURED_CPU = 0;
export const MEASURING_CPU = 1;

export function canPin(): boolean {
  return availableParallelism() >= 2 && spawnSync('taskset', ['--version']).status === 0;
}

/** Ties a process, its threads and its children to one processor; what they start later inherits it. */
export function pin(root: number, cpu: number): void {
  for (const pid of processTree(root)) spawnSync('taskset', ['-acp', String(cpu), String(pid)]);
}
