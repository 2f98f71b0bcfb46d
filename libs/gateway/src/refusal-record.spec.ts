import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SPOOL_RECORD, readUsageRecorded } from '@tokone/events';
import type { UsageRecorded } from '@tokone/events';
import { GatewayError, Uuid7Source } from '@tokone/protocol';
import type { ErrorCode } from '@tokone/protocol';
import type { Spool } from '@tokone/spool';
import { silentLogger } from '@tokone/telemetry';
import { tenantKey } from './fixtures/tenant.js';
import { RefusalRecord } from './refusal-record.js';

const MINUTE_MS = 60_000;
let nowMs: number;
let events: UsageRecorded[];
let full: boolean;
let record: RefusalRecord;
const ids = new Uuid7Source(() => nowMs);

beforeEach(() => {
  nowMs = 1_767_225_600_000;
  events = [];
  full = false;
  // Of a spool only these two are used, and the real one's disk has specs of its own.
  const spool = {
    append(type: number, id: string, payload: string) {
      if (full) throw new Error('the spool is full');
      expect(type).toBe(SPOOL_RECORD.refused);
      const event = readUsageRecorded(payload);
      expect(event.id).toBe(id);
      events.push(event);
    },
    written: () => undefined,
  };
  record = new RefusalRecord({ spool: spool as unknown as Spool, ids, logger: silentLogger, now: () => nowMs });
});
afterEach(() => record.close());

function refuse(times: number, code: ErrorCode = 'balance_held', keyId = tenantKey.keyId): void {
  for (let time = 0; time < times; time++) {
    record.add({ requestId: ids.next(), key: { ...tenantKey, keyId }, dialect: 'openai-chat', model: 'm', streamed: false, error: new GatewayError(code, 'No.'), startedAtMs: nowMs, requestBytes: 1 });
  }
}

const total = () => events.reduce((sum, { count }) => sum + count, 0);

describe('refusals of a key', () => {
  it('are recorded with their status and code, at no cost', () => {
    refuse(1);
    expect(events).toEqual([expect.objectContaining({ outcome: 'refused', status: 429, errorCode: 'balance_held', count: 1, model: 'm', priceId: null, holdNanoUsd: 0n, grantNanoUsd: 0n })]);
  });

  it('are recorded one by one up to 60 in a minute, then counted by kind', () => {
    refuse(60);
    expect(events).toHaveLength(60);
    refuse(40);
    refuse(7, 'insufficient_balance');
    expect(events).toHaveLength(60);
    nowMs += MINUTE_MS;
    record.flush(false);
    expect(events.slice(60).map(({ errorCode, count }) => [errorCode, count])).toEqual([['balance_held', 40], ['insufficient_balance', 7]]);
    expect(total()).toBe(107);
    expect(new Set(events.map(({ id }) => id)).size).toBe(62);
  });

  it('begin anew in the next minute, after the last one was written', () => {
    refuse(70);
    nowMs += MINUTE_MS;
    refuse(1);
    expect(events.map(({ count }) => count).slice(60)).toEqual([10, 1]);
  });

  it('are counted apart from those of another key', () => {
    refuse(70);
    refuse(60, 'balance_held', '019ab1c2-0000-7000-8000-0000000000ff');
    expect(events).toHaveLength(120);
  });

  it('of the running minute stay until it is over, or the gateway stops', () => {
    refuse(65);
    record.flush(false);
    expect(events).toHaveLength(60);
    record.close();
    expect([events.length, total()]).toEqual([61, 65]);
    record.close();
    expect(events).toHaveLength(61);
  });

  it('that cannot be recorded are only missing', () => {
    full = true;
    expect(() => refuse(70)).not.toThrow();
    expect(() => record.close()).not.toThrow();
  });

  it('of more keys than are kept are not lost', () => {
    for (let number = 0; number < 10_010; number++) refuse(1, 'unknown_model', `019ab1c2-0000-7000-9000-${number.toString(16).padStart(12, '0')}`);
    expect(total()).toBe(10_010);
  });
});
