// npm run bench: nginx, the gateway alone and the whole product, interleaved, on the same upstream stand-in.
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { WORKSPACE, makeTemporaryFolder } from '@tokone/testing';
import { startAlone, startInAll, startNginx, startProgram, stopProgram } from './candidate.js';
import type { Candidate } from './candidate.js';
import { currentLoad, describeMachine } from './machine.js';
import { measure } from './measurement.js';
import type { Slice } from './measurement.js';
import { MEASURED_CPU, MEASURING_CPU, canPin, pin } from './pinning.js';
import { residentMemory } from './process-tree.js';
import { writeReport } from './report.js';
import type { Run } from './report.js';
import { WORKLOADS, workloadNamed } from './workload.js';
import type { Workload } from './workload.js';

const HELP = `npm run bench -- [options]
  --quick           two cycles of short slices; prints the tables and leaves the documents as they are
  --cycles N        how often every candidate meets every workload (8)
  --only A,B        workloads: ${WORKLOADS.map(({ name }) => name).join(', ')}
  --candidates A,B  nginx, alone, all
  --profile FOLDER  writes a processor profile of each process of ours
`;

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    cycles: { type: 'string' },
    only: { type: 'string' },
    candidates: { type: 'string', default: 'nginx,alone,all' },
    profile: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

const QUICK_SHARE = 0.4;
const say = (line: string) => process.stderr.write(`${line}\n`);

async function main(): Promise<void> {
  if (options.help) return void process.stdout.write(HELP);
  const interrupted = interruption();
  const folder = await makeTemporaryFolder('bench');
  const candidates: Candidate[] = [];
  const programs: ChildProcess[] = [];
  try {
    const pinned = canPin();
    if (!pinned) say('taskset is missing or there is one processor only: nothing is pinned, and the numbers are coarser.');
    const machine = describeMachine(pinned);
    const upstream = await startProgram('./upstream-main.js');
    const load = await startProgram('./load-main.js');
    programs.push(upstream.child, load.child);
    await startCandidates(candidates, { upstreamPort: upstream.port, folder: folder.path });
    if (pinned) {
      for (const { pid } of programs) pin(pid ?? 0, MEASURING_CPU);
      for (const { processId } of candidates) pin(processId, MEASURED_CPU);
    }
    const idleMb = Object.fromEntries(candidates.map(({ name, memoryProcessId }) => [name, residentMemory(memoryProcessId).residentMb]));
    const workloads = chosenWorkloads();
    const cycles = Number(options.cycles ?? (options.quick ? 2 : 8));
    const slices = await Promise.race([measure({ candidates, workloads, load: load.child, cycles, onSlice: saySlice }), interrupted]);
    await publish({ machine: { ...machine, loadAfter: currentLoad() }, idleMb, workloads, slices });
  } finally {
    for (const candidate of candidates) await candidate.stop();
    for (const program of programs) await stopProgram(program);
    await folder.remove();
  }
}

async function startCandidates(candidates: Candidate[], { upstreamPort, folder }: { upstreamPort: number; folder: string }): Promise<void> {
  const wanted = new Set(options.candidates.split(','));
  const nodeOptions = options.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${options.profile}`];
  const settings = { upstreamPort, folder, nodeOptions };
  const nginx = wanted.has('nginx') ? await startNginx(settings) : undefined;
  if (nginx) candidates.push(nginx);
  else say('nginx is not measured, so there are no ratios to it. Debian: apt-get install nginx-light');
  if (wanted.has('alone')) candidates.push(await startAlone(settings));
  if (wanted.has('all')) candidates.push(await startInAll(settings));
}

function chosenWorkloads(): Workload[] {
  const chosen = options.only === undefined ? WORKLOADS : options.only.split(',').map(workloadNamed);
  return chosen.map((workload) => (options.quick ? { ...workload, sliceMs: workload.sliceMs * QUICK_SHARE } : workload));
}

function saySlice({ cycle, workload, candidate, cpuUs, requestsPerSecond, latencyMs, residentMb }: Slice): void {
  say(`${cycle} ${workload.padEnd(9)} ${candidate.padEnd(6)} ${cpuUs.toFixed(1).padStart(8)} µs  ${requestsPerSecond.toFixed(0).padStart(6)}/s  p50 ${latencyMs.p50.toFixed(2)} p99 ${latencyMs.p99.toFixed(2)} ms  ${residentMb} MB`);
}

const DOCUMENT = join(WORKSPACE, 'docs', 'performance.md');
const BEGIN = '<!-- written by npm run bench: begin -->';
const END = '<!-- written by npm run bench: end -->';

/** A whole run replaces the published one; anything less is only shown. */
async function publish(run: Run): Promise<void> {
  const report = writeReport(run);
  process.stdout.write(`${report}\n`);
  const whole = !options.quick && options.only === undefined && options.candidates === 'nginx,alone,all' && options.profile === undefined && run.machine.nginx !== 'not installed';
  const file = whole ? join(WORKSPACE, 'bench', 'results', 'slices.json') : join(WORKSPACE, 'bench', 'dist', 'slices.json');
  mkdirSync(dirname(file), { recursive: true });
  const { slices, ...rest } = run;
  writeFileSync(file, `${JSON.stringify(rest, null, 1).slice(0, -2)},\n "slices": [\n  ${slices.map((slice) => JSON.stringify(slice)).join(',\n  ')}\n ]\n}\n`);
  say(`All slices: ${file}`);
  if (!whole) return;
  const document = readFileSync(DOCUMENT, 'utf8');
  const [before, after] = [document.indexOf(BEGIN), document.indexOf(END)];
  if (before < 0 || after < before) throw new Error(`${DOCUMENT} has lost the marks between which the tables stand.`);
  writeFileSync(DOCUMENT, `${document.slice(0, before + BEGIN.length)}\n\n${report}\n\n${document.slice(after)}`);
}

/** Rejects at a stop signal. One that comes early waits until everything has started, so that nothing stays behind. */
function interruption(): Promise<never> {
  const interrupted = new Promise<never>((_resolve, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => reject(new Error('Stopped before the end: nothing is published.')));
  });
  interrupted.catch(() => undefined);
  return interrupted;
}

try {
  await main();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
