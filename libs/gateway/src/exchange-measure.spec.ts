import { describe, expect, it } from '@jest/globals';
import type { UsageOutcome } from '@tokone/events';
import type { UsageSource } from '@tokone/telemetry';
import type { Exchange } from './exchange.js';
import { measureExchange } from './exchange-measure.js';
import type { MeasuredUsage } from './measured-usage.js';

const REPORTED = { estimated: false, raw: '{}' } as MeasuredUsage;

function measured(outcome: UsageOutcome, more: { streamed?: boolean; usage?: MeasuredUsage; held?: bigint; firstByteAtMs?: number } = {}): unknown[][] {
  const told: unknown[][] = [];
  const tell = (name: string) => (...all: unknown[]) => void told.push([name, ...all]);
  const metrics = { holdUsed: tell('holdUsed'), firstByte: tell('firstByte'), streamAborted: tell('streamAborted') };
  const { streamed = true, usage = REPORTED, held = 0n, firstByteAtMs } = more;
  const exchange = { context: { metrics }, request: { plan: { streamed }, startedAtMs: 1_000 }, watch: { held }, outcome, firstByteAtMs };
  measureExchange(exchange as unknown as Exchange, usage, 25n);
  return told;
}

describe('the measure of an exchange', () => {
  it('tells which share of the hold was used, and when the first byte came', () => {
    expect(measured('completed', { held: 100n, firstByteAtMs: 1_250 })).toEqual([['holdUsed', 0.25], ['firstByte', 250]]);
    // A clock that was set back.
    expect(measured('completed', { firstByteAtMs: 900 })).toEqual([['firstByte', 0]]);
  });

  it.each<[UsageOutcome, string]>([
    ['client_left', 'client'],
    ['balance_exhausted', 'balance'],
    ['upstream_failed', 'upstream'],
    ['gateway_failed', 'gateway'],
  ])('takes a stream with outcome %s for one that the %s ended', (outcome, by) => {
    expect(measured(outcome)).toEqual([['streamAborted', by, 'reported']]);
    expect(measured(outcome, { streamed: false })).toEqual([]);
  });

  it.each<UsageOutcome>(['completed', 'upstream_refused'])('takes a stream with outcome %s for a whole one', (outcome) => {
    expect(measured(outcome)).toEqual([]);
  });

  it.each<[UsageSource, Partial<MeasuredUsage>]>([
    ['reported', { estimated: false, raw: '{}' }],
    ['estimated', { estimated: true, raw: '{}' }],
    ['none', { estimated: false, raw: null }],
  ])('says that the usage was %s', (source, usage) => {
    expect(measured('client_left', { usage: usage as MeasuredUsage })).toEqual([['streamAborted', 'client', source]]);
  });
});
