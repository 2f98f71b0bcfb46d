import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

const PS_DEADLINE_MS = 2_000;

/**
 * When the process with this id began, in words that differ for every process that ever had the id on this machine;
 * undefined when no such process lives.
 */
export function processStart(pid: number): string | undefined {
  return existsSync('/proc/self/stat') ? startFromProc(pid) : startFromPs(pid);
}

function startFromProc(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The command's name may hold blanks and brackets; the fields behind it begin with the state, the third.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    // The ticks count from the boot of the machine.
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    return `${boot} ${fields[19]}`;
  } catch {
    return undefined;
  }
}

function startFromPs(pid: number): string | undefined {
  try {
    const text = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { timeout: PS_DEADLINE_MS, encoding: 'latin1' });
    return text.trim() || undefined;
  } catch {
    return undefined;
  }
}
