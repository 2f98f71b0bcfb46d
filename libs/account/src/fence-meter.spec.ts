import { expect, it } from '@jest/globals';
import { FenceMeter } from './fence-meter.js';

it('tells how long each question took, by its answer, and hands the answer on', async () => {
  const told: [string, boolean][] = [];
  const meter = new FenceMeter({ fence: (result, durationMs) => void told.push([result, durationMs >= 0]) });
  expect(await meter.timed(async () => ({ passed: true }))).toEqual({ passed: true });
  expect(await meter.timed(async () => ({ passed: false, waitingFor: 'billing' }))).toEqual({ passed: false, waitingFor: 'billing' });
  await expect(meter.timed(() => Promise.reject(new Error('away')))).rejects.toThrow('away');
  expect(told).toEqual([['passed', true], ['waiting', true], ['failed', true]]);
});
