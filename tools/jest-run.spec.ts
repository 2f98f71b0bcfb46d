import { describe, expect, it } from '@jest/globals';
import { countOf } from './jest-run.mjs';

const clean = { numPassedTests: 3, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, numRuntimeErrorTestSuites: 0, numTotalTests: 3, success: true };

describe('countOf', () => {
  it.each([
    ['a clean run', clean, 3, 0],
    ['a failed test', { ...clean, numFailedTests: 2, success: false }, 3, 2],
    ['a skipped test', { ...clean, numPendingTests: 1 }, 3, 1],
    ['a test that is only a title', { ...clean, numTodoTests: 1 }, 3, 1],
    ['a suite that could not run', { ...clean, numRuntimeErrorTestSuites: 1, success: false }, 3, 1],
    ['no tests at all', { ...clean, numPassedTests: 0, numTotalTests: 0 }, 0, 1],
    ['a failure outside of the tests', { ...clean, success: false }, 3, 1],
    ['no result', undefined, 0, 1],
  ])('counts %s', (_title, result, passed, failed) => {
    expect(countOf(result)).toMatchObject({ passed, failed });
  });
});
