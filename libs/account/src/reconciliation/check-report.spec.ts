import { describe, expect, it } from '@jest/globals';
import { MOST_SUBJECTS, NotCheckedError, runCheck, stateOf } from './check-report.js';
import type { CheckReport } from './check-report.js';

let nowMs = 0;
const now = (): number => (nowMs += 5);

describe('the report of a check', () => {
  it('is right when nothing is found, with its question and how long it took', async () => {
    expect(await runCheck('R1', async () => undefined, now)).toEqual({ name: 'R1', question: 'Do all entries of the ledger sum to 0?', state: 'right', mismatches: 0, subjects: [], tookMs: 5 });
  });

  it('names the first of many mismatches and counts all', async () => {
    const report = await runCheck('R3', async (findings) => {
      for (let index = 0; index < 250; index++) findings.add(`s${index}`, 'wrong');
    }, now);
    expect(report).toMatchObject({ state: 'wrong', mismatches: 250 });
    expect(report.subjects).toHaveLength(MOST_SUBJECTS);
  });

  it('is never right when a part did not answer', async () => {
    const away = async (): Promise<void> => {
      throw new NotCheckedError('billing is away');
    };
    expect(await runCheck('R5', away, now)).toMatchObject({ state: 'not_checked', reason: 'billing is away', mismatches: 0 });
  });

  it('is wrong with what was found before a part went silent, and says that it is not all', async () => {
    const report = await runCheck('R3', async (findings) => {
      findings.add('one', 'wrong');
      throw new Error('billing is away');
    }, now);
    expect(report).toMatchObject({ state: 'wrong', mismatches: 1, reason: 'billing is away' });
  });

  it('says when a shape has nothing to compare', async () => {
    expect(await runCheck('R6', undefined, now)).toMatchObject({ state: 'not_applicable', mismatches: 0 });
  });

  it.each([
    [['right', 'not_applicable'], 'right'],
    [['right', 'not_checked'], 'not_checked'],
    [['not_checked', 'wrong', 'right'], 'wrong'],
  ] as const)('of all checks, %j, is %s', (states, all) => {
    expect(stateOf(states.map((state) => ({ state }) as CheckReport))).toBe(all);
  });
});
