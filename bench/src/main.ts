// npm run bench: what TokOne costs, and how fast its events go, in parts that can each be run alone.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeTemporaryFolder } from '@tokone/testing';
import { admissionPart } from './admission-part.js';
import type { BenchOptions, BenchPart } from './bench-part.js';
import { latencyPart } from './latency-part.js';
import { currentLoad, describeMachine } from './machine.js';
import { canPin } from './pinning.js';
import { pipelinePart } from './pipeline-part.js';
import { publish } from './publication.js';
import { relayPart } from './relay-part.js';
import { replayPart } from './replay-part.js';
import { servicePart } from './service-part.js';
import { eyesPart } from './eyes-part.js';
import { WORKLOADS } from './workload.js';

const PARTS: readonly BenchPart[] = [relayPart, servicePart, admissionPart, pipelinePart, latencyPart, replayPart, eyesPart];

const HELP = `npm run bench -- [parts] [options]
Parts, all of them when none is named:
${PARTS.map(({ name, about }) => `  ${name.padEnd(17)} ${about}`).join('\n')}
Options:
  --quick           few and short slices; prints the tables and leaves the documents as they are
  --cycles N        how often every slice is taken
  --only A,B        of the relays, workloads: ${WORKLOADS.map(({ name }) => name).join(', ')}
  --candidates A,B  of the relays: nginx, alone, all; one, two, gateways
  --events N        of the pipeline and the replay
  --profile FOLDER  writes a processor profile of each process of ours among the relays, and of one service of the pipeline
                    or of the last candidate of the services
  --profiled NAME   which one: billing, account, gateway
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    cycles: { type: 'string' },
    only: { type: 'string' },
    candidates: { type: 'string' },
    events: { type: 'string' },
    profile: { type: 'string' },
    profiled: { type: 'string', default: 'billing' },
    help: { type: 'boolean', default: false },
  },
});

const say = (line: string) => process.stderr.write(`${line}\n`);

async function main(): Promise<void> {
  if (values.help) return void process.stdout.write(HELP);
  const parts = positionals.length === 0 ? PARTS : positionals.map(partNamed);
  const interrupted = interruption();
  const pinned = canPin();
  if (!pinned) say('taskset is missing or there is one processor only: nothing is pinned, and the numbers are coarser.');
  const folder = await makeTemporaryFolder('bench');
  try {
    for (const part of parts) {
      say(`${part.name}: ${part.about}; load ${currentLoad()}`);
      const own = join(folder.path, part.name);
      await mkdir(own, { mode: 0o755 });
      const result = await part.run({ options: readOptions(), machine: describeMachine(pinned), folder: own, interrupted, say });
      say(`All slices: ${publish(part.name, result)}`);
    }
  } finally {
    await folder.remove();
  }
}

function partNamed(name: string): BenchPart {
  const found = PARTS.find((part) => part.name === name);
  if (!found) throw new Error(`There is no part "${name}". Known: ${PARTS.map((part) => part.name).join(', ')}.`);
  return found;
}

function readOptions(): BenchOptions {
  const { quick, cycles, only, candidates, events, profile, profiled } = values;
  return {
    quick,
    profiled,
    ...(cycles !== undefined && { cycles: Number(cycles) }),
    ...(only !== undefined && { only: only.split(',') }),
    ...(candidates !== undefined && { candidates: candidates.split(',') }),
    ...(events !== undefined && { events: Number(events) }),
    ...(profile !== undefined && { profile }),
  };
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
