import { describe, expect, it } from '@jest/globals';
import { readTestArguments, stepsOf } from './test-steps.mjs';
// eslint-disable-next-line @nx/enforce-module-boundaries -- the configuration of this very run
import jestConfig from '../jest.config.mjs';

const projectsOf = (...argv: string[]) => stepsOf(readTestArguments(argv)).flatMap(({ projects }) => projects);

describe('the test commands', () => {
  it('npm test checks, and runs libraries, the one process, three kills and a smoke test of the services', () => {
    expect(readTestArguments([])).toEqual({ parts: ['default'], checked: true, wholeApi: false });
    expect(projectsOf()).toEqual(['integration', 'e2e-standalone', 'faults-standalone', 'e2e-smoke']);
  });

  it('npm run test:services and test:faults run that part alone, without the check', () => {
    expect(readTestArguments(['services']).checked).toBe(false);
    expect(projectsOf('services')).toEqual(['e2e-services']);
    expect(projectsOf('faults')).toEqual(['serial', 'faults-standalone', 'faults-services']);
  });

  it('npm test -- --all runs every project', () => {
    const { projects } = jestConfig;
    const named: string[] = projects.map(({ displayName }) => displayName);
    expect(readTestArguments(['--all']).checked).toBe(true);
    expect(new Set(['unit', ...projectsOf('--all')])).toEqual(new Set(named));
  });

  it('refuses an unknown part or option with those that it knows', () => {
    expect(() => readTestArguments(['service'])).toThrow('There is no test part service. The parts are services and faults; npm test -- --all runs everything.');
    expect(() => readTestArguments(['--al'])).toThrow('Known are --all and --whole-api.');
  });
});
