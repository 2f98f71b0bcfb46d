import { expect, it } from '@jest/globals';
import { OverheadPhases } from './overhead-phases.js';

it('counts each part, and all of them together without the time that was the caller\'s', () => {
  const told: [string, number][] = [];
  const times = [0, 3, 1_000, 1_004, 1_010];
  const phases = new OverheadPhases({ overhead: (phase, durationMs) => void told.push([phase, durationMs]) }, () => times.shift() ?? 0);
  phases.over('authenticate');
  phases.resume();
  phases.over('check');
  phases.over('admit');
  phases.end();
  expect(told).toEqual([['authenticate', 3], ['check', 4], ['admit', 6], ['all', 13]]);
});
