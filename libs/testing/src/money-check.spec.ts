import { describe, expect, it } from '@jest/globals';
import { compareWithTruth } from './money-check.js';
import type { UsageRow } from './money-check.js';
import type { TruthRecord } from './simulator.js';

const row = (change: Partial<UsageRow> = {}): UsageRow => ({
  id: 'row', outcome: 'completed', estimated: false, upstream_request_id: 'answer-1', input: 3, cache_read: 0, cache_write: 0, output: 4, charge: '7', grant: '7', hold: '9', ...change,
});
const served = (change: Partial<TruthRecord> = {}): TruthRecord => ({
  id: 'run-0', dialect: 'openai', credential: 'cred', model: 'm', streamed: true, tokens: { input: 3, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0, output: 4, reasoning: 0 },
  reported: null, outcome: 'complete', status: 200, providerRequestId: 'answer-1', bytesWritten: 100, bodySha256: '', bodyBytes: 10, ...change,
});
/** An answer that no row names. */
const unnamed = served({ providerRequestId: 'answer-2' });
const FAULT = expect.stringContaining('have no usage row');

describe('an answer of the provider', () => {
  it('with its row is no fault', () => {
    expect(compareWithTruth([row()], [served()])).toEqual([]);
  });

  it.each(['complete', 'client_left', 'cut', 'stalled', 'running', 'error'])('without its row is a fault, even beside another row too many: %s', (outcome) => {
    expect(compareWithTruth([row(), row({ id: 'other', upstream_request_id: 'answer-3' })], [served(), { ...unnamed, outcome }])).toEqual([FAULT]);
  });

  it.each<[string, Partial<UsageRow>]>([
    ['a crash', { outcome: 'gateway_crash', upstream_request_id: null }],
    ['a client that left', { outcome: 'client_left', upstream_request_id: null }],
    ['a failure of the gateway', { outcome: 'gateway_failed', upstream_request_id: null }],
    ['a failure of the upstream', { outcome: 'upstream_failed', upstream_request_id: null }],
  ])('may have the row of %s, one answer for each', (_title, change) => {
    const rows = [row(), row({ id: 'b', ...change })];
    expect(compareWithTruth(rows, [served(), unnamed])).toEqual([]);
    const padding = row({ id: 'c', upstream_request_id: 'answer-9' });
    expect(compareWithTruth([...rows, padding], [served(), unnamed, served({ providerRequestId: 'answer-3' })])).toEqual([FAULT]);
  });

  it.each<[string, Partial<UsageRow>]>([
    ['a completed answer', { outcome: 'completed', upstream_request_id: null }],
    ['a refusal', { outcome: 'upstream_refused', upstream_request_id: null }],
    ['a client that left another answer', { outcome: 'client_left', upstream_request_id: 'answer-3' }],
    ['a crash in the middle of an answer that is known', { outcome: 'gateway_crash', upstream_request_id: 'answer-1' }],
  ])('is not stood for by the row of %s', (_title, change) => {
    expect(compareWithTruth([row(), row({ id: 'b', ...change })], [served(), unnamed])).toEqual([FAULT]);
  });

  it.each<[string, Partial<TruthRecord>]>([
    ['was refused', { status: 500, outcome: 'error' }],
    ['began with an error', { outcome: 'error', tokens: { ...unnamed.tokens, input: 0, output: 0 } }],
    ['never began', { status: null as unknown as number, outcome: 'stalled' }],
  ])('that %s may have been tried elsewhere', (_title, change) => {
    expect(compareWithTruth([row(), row({ id: 'b', upstream_request_id: 'answer-3' })], [served(), { ...unnamed, ...change }])).toEqual([]);
  });
});
