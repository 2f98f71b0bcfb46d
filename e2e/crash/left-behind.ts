import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface ProcessOfFolder {
  pid: number;
  command: string;
}

/** The processes that work on a data folder: it stands in their command line, or they hold a file below it open. */
export function processesOfFolder(folder: string): ProcessOfFolder[] {
  const found: ProcessOfFolder[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const command = commandOf(pid);
    if (command !== '' && (command.includes(folder) || openFiles(pid).some((path) => path.startsWith(`${folder}/`)))) found.push({ pid, command });
  }
  return found;
}

/** A process may end while it is looked at. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

function openFiles(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((descriptor) => linkOf(`/proc/${pid}/fd/${descriptor}`));
  } catch {
    return [];
  }
}

function linkOf(path: string): string[] {
  try {
    return [readlinkSync(path)];
  } catch {
    return [];
  }
}
