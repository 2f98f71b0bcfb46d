import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const PS_TIMEOUT_MS = 5_000;
const run = promisify(execFile);

/**
 * When the process started, as an opaque text that no later process with the same id shares, or undefined when no such
 * process runs. A zombie counts as gone: it holds nothing, and below an init that does not reap it would stay for ever.
 */
export async function processStart(processId: number): Promise<string | undefined> {
  if (process.platform !== 'linux') return askPs(processId, 'lstart=');
  const stat = await readProc(`/proc/${processId}/stat`);
  const start = stat === undefined ? undefined : startFromStat(stat);
  if (start === undefined) return undefined;
  // The ticks count from boot, so that they alone would repeat after a reboot.
  const bootId = await readProc('/proc/sys/kernel/random/boot_id');
  return `${bootId?.trim() ?? ''}:${start}`;
}

/** The arguments of a running process joined by spaces, or undefined when it does not run or is a zombie. */
export async function processCommandLine(processId: number): Promise<string | undefined> {
  if (process.platform !== 'linux') return askPs(processId, 'command=');
  const commandLine = await readProc(`/proc/${processId}/cmdline`);
  return commandLine?.replaceAll('\0', ' ').trim() || undefined;
}

/**
 * Field 22 of `/proc/<pid>/stat` (proc(5)): clock ticks from boot to the start of the process. Undefined for a zombie.
 * Field 2 is the program's name in parentheses and may itself hold spaces and parentheses, so that counting begins
 * behind the last one.
 */
export function startFromStat(stat: string): string | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  return state === 'Z' || state === 'X' ? undefined : fields[19];
}

async function readProc(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch {
    return undefined;
  }
}

async function askPs(processId: number, column: string): Promise<string | undefined> {
  try {
    const options = { timeout: PS_TIMEOUT_MS, env: { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/bin:/bin' } };
    const { stdout } = await run('ps', ['-ww', '-o', 'stat=', '-o', column, '-p', String(processId)], options);
    const [state, ...rest] = stdout.trim().split(/\s+/);
    return state === undefined || state.startsWith('Z') ? undefined : rest.join(' ') || undefined;
  } catch {
    return undefined;
  }
}
