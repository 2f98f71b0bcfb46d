import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem, type as systemType } from 'node:os';

/** What a reader needs to place the numbers. */
export interface Machine {
  date: string;
  processor: string;
  processors: number;
  memoryGb: number;
  system: string;
  node: string;
  nginx: string;
  pinned: boolean;
  /** Of the last minute, before the first slice: above 0 somebody else was at work. */
  loadBefore: number;
  loadAfter?: number;
}

export function describeMachine(pinned: boolean): Machine {
  return {
    date: new Date().toISOString().slice(0, 10),
    processor: cpus()[0]?.model ?? 'unknown',
    processors: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${distribution()}, ${systemType()} ${release()}`,
    node: process.version,
    nginx: /nginx\/(\S+)/.exec(spawnSync('nginx', ['-v'], { encoding: 'utf8' }).stderr ?? '')?.[1] ?? 'not installed',
    pinned,
    loadBefore: currentLoad(),
  };
}

export function currentLoad(): number {
  return Math.round((loadavg()[0] ?? 0) * 100) / 100;
}

function distribution(): string {
  try {
    return /^PRETTY_NAME="?([^"\n]+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'unknown';
  } catch {
    return 'unknown';
  }
}
