import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { partitionOf, readUsageRecorded, writeUsageRecorded } from '@tokone/events';
import { usageText } from '../fixtures/usage-text.js';
import { toLogRecord } from '../log-record.js';
import { toProduced } from './usage-shipper.js';

const ACCOUNT = '019ab1c2-0000-7000-8000-000000000002';

describe('toProduced', () => {
  it.each([null, '00-019ab1c2000070008000000000000001-8000000000000001-00'])('sends an event of the trace %s as it stands, to its account', (traceparent) => {
    const raw = writeUsageRecorded({ ...readUsageRecorded(usageText(7, ACCOUNT)), traceparent });
    expect(toProduced(toLogRecord(1n, raw))).toEqual({ partition: partitionOf(ACCOUNT), key: ACCOUNT, value: raw, headers: {} });
  });

  it('sends an event of the previous schema in the same way', () => {
    const raw = readFileSync(new URL('../../../events/src/fixtures/usage-recorded-1.json', import.meta.url), 'utf8').trim();
    const { accountId } = readUsageRecorded(raw);
    expect(toProduced(toLogRecord(1n, raw))).toEqual({ partition: partitionOf(accountId), key: accountId, value: raw, headers: {} });
  });

  it('sends an event that is spelt in another order in the same way', () => {
    const { schema, ...members } = JSON.parse(writeUsageRecorded(readUsageRecorded(usageText(7, ACCOUNT)))) as { schema: number };
    const turned = JSON.stringify({ ...members, schema });
    expect(toProduced(toLogRecord(1n, turned))).toEqual({ partition: partitionOf(ACCOUNT), key: ACCOUNT, value: turned, headers: {} });
  });

  it('sends an event that is broken behind its account to its account, where billing keeps it', () => {
    const raw = writeUsageRecorded(readUsageRecorded(usageText(7, ACCOUNT))).slice(0, -1);
    expect(toProduced(toLogRecord(1n, raw))).toMatchObject({ partition: partitionOf(ACCOUNT), key: ACCOUNT, value: raw });
  });

  it('sends what cannot be read to partition 0, as it stands', () => {
    expect(toProduced(toLogRecord(1n, '{"schema":9'))).toEqual({ partition: 0, key: null, value: '{"schema":9', headers: {} });
  });
});
