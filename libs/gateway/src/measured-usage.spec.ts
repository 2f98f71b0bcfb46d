import { describe, expect, it } from '@jest/globals';
import { noTokens } from '@tokone/protocol';
import type { AnswerScanner, ReportedUsage } from '@tokone/protocol';
import { modelPrice } from './fixtures/tenant.js';
import { measureUsage, outputTokens } from './measured-usage.js';
import type { MeasureInput } from './measured-usage.js';

function scanner(usage: ReportedUsage | undefined, outputTextBytes = 0): AnswerScanner {
  return { usage, outputTextBytes } as AnswerScanner;
}

const reported: ReportedUsage = { tokens: { ...noTokens(), input: 10, cacheRead: 5, output: 20 }, raw: '{"x":1}', final: true, serviceTier: undefined, units: { web_search: 1 }, odd: false };
const inputOnly: ReportedUsage = { ...reported, tokens: { ...noTokens(), input: 10, cacheRead: 5, output: 1 }, units: {}, final: false };
const asked: MeasureInput = { scanner: undefined, outcome: 'completed', delivered: true, estimatedInputTokens: 99, askedTier: 'default', price: modelPrice };

describe('what a request used', () => {
  it.each<[string, Partial<MeasureInput>]>([
    ['completed', {}],
    ['left by its client', { outcome: 'client_left' }],
    ['cut', { outcome: 'balance_exhausted' }],
    ['failed before anything was delivered', { outcome: 'upstream_failed', delivered: false }],
  ])('is what the provider reported of the whole, when it was %s', (_title, change) => {
    expect(measureUsage({ ...asked, ...change, scanner: scanner(reported, 4_000) })).toEqual({ tokens: reported.tokens, units: { web_search: 1 }, tier: 'default', estimated: false, odd: false, raw: '{"x":1}' });
  });

  it.each<[string, Partial<MeasureInput>]>([
    ['the upstream refused', { outcome: 'upstream_refused' }],
    ['the upstream failed', { outcome: 'upstream_failed' }],
    ['the gateway failed', { outcome: 'gateway_failed' }],
    ['the balance ended', { outcome: 'balance_exhausted' }],
    ['the upstream failed after it reported its input', { outcome: 'upstream_failed', scanner: scanner(inputOnly, 400) }],
  ])('is nothing where %s before anything was delivered', (_title, change) => {
    const measured = measureUsage({ ...asked, delivered: false, ...change });
    expect(measured).toEqual({ tokens: noTokens(), units: {}, tier: 'default', estimated: false, odd: false, raw: null });
  });

  it.each<[string, Partial<MeasureInput>, Partial<ReturnType<typeof noTokens>>]>([
    ['our estimate of input and output, where nothing was reported', { scanner: scanner(undefined, 401) }, { input: 99, output: 101 }],
    ['reported input and counted output, where only the input was', { scanner: scanner(inputOnly, 400) }, { input: 10, cacheRead: 5, output: 100 }],
    ['text that the provider has counted as reasoning only once', { scanner: scanner({ ...inputOnly, tokens: { ...inputOnly.tokens, output: 0, reasoning: 1_000 } }, 4_000) }, { input: 10, cacheRead: 5, output: 0, reasoning: 1_000 }],
    ['the larger of a partial report and our count', { scanner: scanner({ ...inputOnly, tokens: { ...inputOnly.tokens, output: 500 } }, 400) }, { input: 10, cacheRead: 5, output: 500 }],
    ['input alone for a client that left before a byte of it', { outcome: 'client_left', delivered: false }, { input: 99 }],
    ['what was read until the upstream failed', { outcome: 'upstream_failed', scanner: scanner(undefined, 8) }, { input: 99, output: 2 }],
    ['what was read until the gateway stopped', { outcome: 'gateway_failed', scanner: scanner(undefined, 8) }, { input: 99, output: 2 }],
  ])('is %s, marked estimated', (_title, change, tokens) => {
    const measured = measureUsage({ ...asked, ...change });
    expect(measured.tokens).toEqual({ ...noTokens(), ...tokens });
    expect(measured.estimated).toBe(true);
  });

  it('leaves the report as it was', () => {
    measureUsage({ ...asked, scanner: scanner(inputOnly, 40_000) });
    expect(inputOnly.tokens.output).toBe(1);
  });

  it.each<[string | undefined, 'default' | 'flex']>([[undefined, 'flex'], ['default', 'default']])('is billed at the tier that the provider names (%p), else at the one asked for', (serviceTier, tier) => {
    expect(measureUsage({ ...asked, askedTier: 'flex', scanner: scanner({ ...reported, serviceTier }) }).tier).toBe(tier);
  });

  it('keeps the flag of numbers that do not add up', () => {
    expect(measureUsage({ ...asked, scanner: scanner({ ...reported, odd: true }) }).odd).toBe(true);
  });
});

describe('our count of output', () => {
  it.each([[0, 0], [1, 1], [4, 1], [5, 2], [4_000, 1_000]])('for %d bytes of text is %d', (bytes, tokens) => {
    expect(outputTokens(scanner(undefined, bytes))).toBe(tokens);
  });

  it('is nothing before an answer', () => {
    expect(outputTokens(undefined)).toBe(0);
  });
});
