import { describe, expect, it } from '@jest/globals';
import { silentLogger } from '@tokone/telemetry';
import { passFence } from './fence-passage.js';
import type { FenceAnswer } from './gateways.js';

const gateway = { gatewayId: 'g', instanceId: 'i' };
const closed: FenceAnswer = { passed: false, waitingFor: 'billing' };

function fenceOf(answers: (FenceAnswer | Error)[]) {
  const asked: number[] = [];
  const pass = async (_gateway: unknown, deadlineMs: number): Promise<FenceAnswer> => {
    asked.push(deadlineMs);
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer === undefined || answer instanceof Error) throw answer ?? new Error('nothing more to say');
    return answer;
  };
  return { asked, options: { fence: { pass }, gateway, logger: silentLogger, retryMs: 1 } };
}

describe('the way through the fence', () => {
  it('is asked for until it is free, whatever fails on it', async () => {
    const { asked, options } = fenceOf([closed, new Error('no account service'), closed, { passed: true }]);
    const told: string[] = [];
    await passFence({ ...options, deadlineMs: 5_000, attemptMs: 77, onWait: (waitingFor) => told.push(waitingFor) });
    expect(asked).toEqual([77, 77, 77, 77]);
    expect(told).toEqual(['billing', 'the account service to answer', 'billing']);
  });

  it('ends at its deadline with what it waits for', async () => {
    await expect(passFence({ ...fenceOf([closed]).options, deadlineMs: 30 })).rejects.toThrow('after 30 ms the gateway still waits for billing');
    const cause = new Error('no account service');
    await expect(passFence({ ...fenceOf([cause]).options, deadlineMs: 30 })).rejects.toMatchObject({ cause });
  });

  it('ends when somebody asks to stop', async () => {
    const stop = new AbortController();
    const passing = passFence({ ...fenceOf([closed]).options, deadlineMs: 60_000, stop: stop.signal });
    stop.abort(new Error('asked to stop'));
    await expect(passing).rejects.toThrow('asked to stop');
  });
});
