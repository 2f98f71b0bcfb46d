import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Logger } from '@tokone/telemetry';
import { silentLogger } from '@tokone/telemetry';
import { waitFor } from '@tokone/testing';
import { GatewayMembership } from './gateway-membership.js';
import { GATEWAY_REPLACED, isReplaced } from './gateways.js';

const refusal = Object.assign(new Error('A later run has taken its place'), { code: GATEWAY_REPLACED });
const outage = new Error('no answer');
const gateway = { gatewayId: 'g', instanceId: 'i', url: 'http://127.0.0.1:7100' };
let failures: Error[];
let beats: number;
let left: number;
let leaveFailure: Error | undefined;
let replaced: Error[];
let warnings: number;
let membership: GatewayMembership;

beforeEach(() => {
  failures = [];
  beats = 0;
  left = 0;
  leaveFailure = undefined;
  replaced = [];
  warnings = 0;
  const beat = async (): Promise<void> => {
    beats += 1;
    const failure = failures.shift();
    if (failure) throw failure;
  };
  const registry = {
    join: beat,
    heartbeat: beat,
    leave: async () => {
      left += 1;
      if (leaveFailure) throw leaveFailure;
    },
  };
  const logger: Logger = { ...silentLogger, warn: () => void (warnings += 1) };
  membership = new GatewayMembership({ registry, gateway, logger, onReplaced: (reason) => replaced.push(reason), intervalMs: 5 });
});
afterEach(() => membership.leave());

const beaten = (times: number): Promise<unknown> => waitFor(() => beats >= times, { what: `${times} heartbeats`, deadlineMs: 5_000, intervalMs: 5 });

describe('the place of a gateway', () => {
  it('is asked for until the account service answers', async () => {
    failures = [outage, outage];
    await membership.join({ deadlineMs: 5_000 });
    expect(beats).toBe(3);
  });

  it('is not had when the account service never answers', async () => {
    failures = Array.from({ length: 50 }, () => outage);
    await expect(membership.join({ deadlineMs: 1 })).rejects.toBe(outage);
    expect(isReplaced(outage)).toBe(false);
  });

  it('is not waited for when somebody asks to stop', async () => {
    failures = Array.from({ length: 50 }, () => outage);
    const stop = new AbortController();
    const joining = membership.join({ deadlineMs: 60_000, stop: stop.signal });
    await beaten(1);
    stop.abort(new Error('asked to stop'));
    await expect(joining).rejects.toThrow('asked to stop');
  });

  it('is given back by who got it while somebody asked to stop', async () => {
    const stop = new AbortController();
    const joining = membership.join({ deadlineMs: 60_000, stop: stop.signal });
    stop.abort(new Error('asked to stop'));
    await expect(joining).rejects.toThrow('asked to stop');
    expect(left).toBe(1);
  });

  it('is kept by heartbeats, through failures, of which one warning tells', async () => {
    await membership.join({ deadlineMs: 5_000 });
    failures = [outage, outage, outage];
    await beaten(8);
    expect(warnings).toBe(1);
    expect(replaced).toEqual([]);
  });

  it('is lost to another one, which is told once, and no heartbeat follows', async () => {
    await membership.join({ deadlineMs: 5_000 });
    failures = [refusal];
    await waitFor(() => replaced.length > 0, { what: 'the loss', deadlineMs: 5_000, intervalMs: 5 });
    const after = beats;
    await membership.leave();
    expect(replaced).toEqual([refusal]);
    expect(beats).toBe(after);
  });

  it('is given back in order, although the account service may not hear of it', async () => {
    await membership.join({ deadlineMs: 5_000 });
    leaveFailure = outage;
    await membership.leave();
    expect(left).toBe(1);
    expect(warnings).toBe(1);
  });

  it('is kept without heartbeats for the next run', async () => {
    await membership.join({ deadlineMs: 5_000 });
    await beaten(2);
    await membership.fallSilent();
    const after = beats;
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(beats).toBe(after);
    expect(left).toBe(0);
  });
});
