// npm run chaos [-- --rounds N --seed S --only NAME]: the crash matrix of the services again and again, each round with
// a seed of its own. The first round that fails ends the run, and its seed is printed.
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { ensureBuilt } from './build.mjs';
import { ensureInstalled } from './install.mjs';
import { runJest } from './jest-run.mjs';
import { Refusal, runScript, say, secondsSince, workspaceRoot } from './workspace.mjs';

const longestMs = 60 * 60_000;
const highestSeed = 2 ** 31 - 1;

await runScript(async () => {
  const { rounds, seed, only } = readArguments();
  await ensureInstalled();
  await ensureBuilt();
  process.chdir(workspaceRoot);
  for (let round = 0; round < rounds; round++) {
    const roundSeed = (seed + round) % highestSeed;
    const startedMs = performance.now();
    const paths = [`e2e/faults/services/${only}`];
    const { passed, failed, notes } = await runJest({ projects: ['faults-services'], workers: 1, longestMs, env: { TOKONE_TEST_SEED: String(roundSeed) }, live: true, paths });
    for (const note of notes) say(note);
    say(`round ${round + 1} of ${rounds}, seed ${roundSeed}: ${passed} passed, ${failed} failed (${secondsSince(startedMs)})`);
    if (failed > 0) {
      say(`The same again: npm run chaos -- --rounds 1 --seed ${roundSeed}`);
      return 1;
    }
  }
  return 0;
});

function readArguments() {
  const { values } = parseArgs({ options: { rounds: { type: 'string', default: '1' }, seed: { type: 'string' }, only: { type: 'string', default: '' } } });
  return { rounds: readNumber('--rounds', values.rounds), seed: values.seed === undefined ? randomInt(highestSeed) : readNumber('--seed', values.seed), only: values.only };
}

/**
 * @param {string} option
 * @param {string} text
 */
function readNumber(option, text) {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new Refusal(`${option} ${text} is not a number from 1 on.`);
  return Number(text);
}
