import { describe, expect, it } from '@jest/globals';
import { describeAnswer, describeCharge, describePage } from './answer-text.js';

const USAGE = {
  state: 'rated', accountId: 'a-1', keyId: 'k-1', model: 'gpt-5.5', dialect: 'openai-chat', streamed: true, status: 200, outcome: 'completed',
  errorCode: null, estimated: false, billedTier: 'default', priceId: '1/gpt-5.5', multiplier: '0.8', recomputed: true,
  lines: [
    { item: 'input', quantity: 1200, price: '5.00', per: 'million tokens', amount: '0.0048' },
    { item: 'web_search', quantity: 2, price: '0.01', per: 'unit', amount: '0.016' },
  ],
  rated: '0.0208', charge: '0.02', granted: '0.02', writeOff: '0.0008',
};
const TRANSFER = { entries: [{ ledgerAccount: 'wallet', amount: '-0.02', balanceAfter: '9.98' }] };

describe('answers as text', () => {
  it('show a charge as a bill: model, count, price and amount of each line, multiplier, charge, ledger', () => {
    const text = describeCharge({ id: 'r-1', usage: USAGE, transfer: TRANSFER });
    for (const part of ['r-1', 'gpt-5.5', 'stream', 'multiplier 0.8', 'charge     0.02 USD', 'written off 0.0008', 'wallet -0.02 (then 9.98)', 'recomputed yes']) expect(text).toContain(part);
    expect(text).toMatch(/input +1200 +5\.00 per million tokens +0\.0048/);
    expect(text).toMatch(/web_search +2 +0\.01 per unit +0\.016/);
  });

  it('say so when a charge does not follow from tokens and price, and when nothing is posted', () => {
    const text = describeCharge({ id: 'r-1', usage: { ...USAGE, recomputed: false, estimated: true }, transfer: null });
    expect(text).toContain('recomputed NO');
    expect(text).toContain('usage estimated');
    expect(text).toContain('nothing posted');
  });

  it('show what is no rated charge as it stands', () => {
    const waived = { reason: 'absurd_count', detail: 'output: 9', by: 'operator', why: 'a defect', at: '2026-11-28T00:00:00.000Z' };
    expect(describeCharge({ id: 'r-1', usage: { ...USAGE, waived }, transfer: null })).toContain('waived     by operator at 2026-11-28T00:00:00.000Z: a defect (was parked: absurd_count, output: 9)');
    expect(describeCharge({ id: 'r-1', usage: { state: 'parked', reason: 'no_price' }, transfer: null })).toContain('reason: no_price');
  });

  it('name the next page of a list', () => {
    expect(describePage({ items: [{ id: 'a', name: 'demo' }], next: 'a' })).toBe('- id: a\n  name: demo\nThere may be more: repeat this with --after a');
    expect(describePage({ items: [], next: null })).toBe('(none)');
  });

  it('indent what is nested', () => {
    expect(describeAnswer({ id: 1, inner: { list: ['x'] }, absent: null })).toBe('id: 1\ninner:\n  list:\n    - x');
  });
});
