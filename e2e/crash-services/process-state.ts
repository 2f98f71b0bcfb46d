import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { waitFor } from '@tokone/testing';

/** From the fault to the end of what it does, by the clock of the test's process. */
export interface Outage {
  fromMs: number;
  toMs: number;
}

/** A process that has ended and that nobody has asked after yet does not run any more. */
export function isRunning(processId: number): boolean {
  try {
    return !/^Z/.test(stateOf(`/proc/${processId}/stat`));
  } catch {
    return false;
  }
}

/** SIGSTOP, and the wait until each of its threads stands still: the signal alone only asks for that. */
export async function freezeProcess(processId: number): Promise<void> {
  process.kill(processId, 'SIGSTOP');
  const threads = () => readdirSync(`/proc/${processId}/task`).map((thread) => stateOf(`/proc/${processId}/task/${thread}/stat`));
  await waitFor(() => threads().every((state) => state === 'T'), { what: `process ${processId} to stand still`, deadlineMs: 10_000, intervalMs: 1 });
}

/** One letter, as in proc(5). The name in brackets before it may hold anything. */
function stateOf(statPath: string): string {
  const stat = readFileSync(statPath, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
}

/** The only wait of these tests that is for time itself: something stands still for longer than the patience of others. */
export async function standStill({ stop, go, lengthMs }: { stop: () => unknown; go: () => unknown; lengthMs: number }): Promise<Outage> {
  const fromMs = performance.now();
  await stop();
  try {
    await delay(lengthMs);
  } finally {
    await go();
  }
  return { fromMs, toMs: performance.now() };
}

/** The environment that a process was started with. */
export function environmentOf(processId: number): Record<string, string> {
  const entries = readFileSync(`/proc/${processId}/environ`, 'utf8').split('\0').filter((entry) => entry.includes('='));
  return Object.fromEntries(entries.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]));
}
