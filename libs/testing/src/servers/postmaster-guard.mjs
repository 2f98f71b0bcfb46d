// Ends a PostgreSQL server when its owner is gone, even by kill -9: standard input is then at its end. The owner tells the
// server's process id there; before that, the postmaster.pid of its cluster does.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

const IMMEDIATE_STOP_MS = 5_000;
const POLL_MS = 20;
const [, , cluster = ''] = process.argv;

let told = 0;
createInterface({ input: process.stdin }).on('line', (line) => (told = Number(line)));
process.stdin.once('close', endServer);
for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(name, endServer);

async function endServer() {
  const postmaster = told > 0 ? told : readPostmaster();
  if (postmaster > 0 && isServer(postmaster)) {
    // Some may be paused, and would then outlive their postmaster.
    for (const pid of [postmaster, ...childrenOf(postmaster)]) signal(pid, 'SIGCONT');
    signal(postmaster, 'SIGQUIT');
    const endMs = performance.now() + IMMEDIATE_STOP_MS;
    while (performance.now() < endMs && isServer(postmaster)) await delay(POLL_MS);
    if (isServer(postmaster)) signal(postmaster, 'SIGKILL');
  }
  process.exit(0);
}

function readPostmaster() {
  try {
    return Number(readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n')[0]);
  } catch {
    return 0;
  }
}

/** The id may be another program's by now. */
function isServer(pid) {
  try {
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).includes(cluster);
  } catch {
    return false;
  }
}

function childrenOf(parent) {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number));
  return pairs.flatMap(([pid, ppid]) => (ppid === parent ? [pid] : []));
}

function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch {
    // It ended meanwhile.
  }
}
