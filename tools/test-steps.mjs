// What each of the test commands runs, in which order.
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { Refusal } from './workspace.mjs';

/**
 * One run of Jest. `paths`: only specs below them; `workers`: files that run at a time, one per core unless told.
 * @typedef {{ title: string, projects: string[], paths?: string[], workers?: number, env?: Record<string, string> }} Step
 * @typedef {'default' | 'services' | 'faults'} Part
 * @typedef {{ parts: Part[], checked: boolean, wholeApi: boolean }} Choice `checked`: `npm run check` comes first
 */

/** @type {Part[]} */
const allParts = ['default', 'services', 'faults'];

/** Specs of the running product mostly wait, for answers and for each other's processes. */
const waiting = Math.min(2 * availableParallelism(), 8);

/** @type {Record<Part, Step[]>} */
const steps = {
  default: [
    { title: 'libraries on real servers', projects: ['integration'] },
    { title: 'the one process', projects: ['e2e-standalone'], workers: waiting },
    { title: 'three kills of the one process', projects: ['faults-standalone'], paths: ['e2e/faults/standalone/kills.spec.ts'], workers: 1, env: { TOKONE_TEST_KILLS: '1' } },
    { title: 'smoke test of the services', projects: ['e2e-smoke'] },
  ],
  services: [{ title: 'the services', projects: ['e2e-services'] }],
  faults: [
    { title: 'promises in milliseconds', projects: ['serial'], workers: 1 },
    { title: 'faults of the one process', projects: ['faults-standalone'], workers: 1 },
    { title: 'faults of the services', projects: ['faults-services'], workers: 1 },
  ],
};

/**
 * @param {string[]} argv
 * @returns {Choice}
 * @throws {Refusal} when an argument is unknown
 */
export function readTestArguments(argv) {
  const { values, positionals } = parse(argv);
  const unknown = positionals.find((name) => name !== 'services' && name !== 'faults');
  if (unknown !== undefined) throw new Refusal(`There is no test part ${unknown}. The parts are services and faults; npm test -- --all runs everything.`);
  if (values.all) return { parts: allParts, checked: true, wholeApi: values['whole-api'] };
  const named = allParts.filter((name) => positionals.includes(name));
  return { parts: named.length > 0 ? named : ['default'], checked: named.length === 0, wholeApi: values['whole-api'] };
}

/** @param {string[]} argv */
function parse(argv) {
  try {
    return parseArgs({ args: argv, allowPositionals: true, options: { all: { type: 'boolean', default: false }, 'whole-api': { type: 'boolean', default: false } } });
  } catch (error) {
    throw new Refusal(`${error instanceof Error ? error.message : String(error)}. Known are --all and --whole-api.`);
  }
}

/**
 * @param {Choice} choice
 * @returns {Step[]} in the order in which they run
 */
export function stepsOf({ parts, wholeApi }) {
  const env = { ...(wholeApi && { TOKONE_TEST_WHOLE_API: '1' }) };
  return parts.flatMap((part) => steps[part]).map((step) => ({ ...step, env: { ...env, ...step.env } }));
}
