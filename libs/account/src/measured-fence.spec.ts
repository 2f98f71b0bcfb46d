import { expect, it } from '@jest/globals';
import type { FenceAnswer } from './ledger-fence.js';
import { MeasuredFence } from './measured-fence.js';

it('tells how long each passage took, by its answer, and hands the answer on', async () => {
  const told: [string, boolean][] = [];
  let answer: () => Promise<FenceAnswer> = async () => ({ passed: true });
  const fence = new MeasuredFence({ pass: () => answer() }, { fence: (result, durationMs) => void told.push([result, durationMs >= 0]) });
  expect(await fence.pass(1_000)).toEqual({ passed: true });
  answer = async () => ({ passed: false, waitingFor: 'billing' });
  expect(await fence.pass(1_000)).toEqual({ passed: false, waitingFor: 'billing' });
  answer = () => Promise.reject(new Error('away'));
  await expect(fence.pass(1_000)).rejects.toThrow('away');
  expect(told).toEqual([['passed', true], ['waiting', true], ['failed', true]]);
});
