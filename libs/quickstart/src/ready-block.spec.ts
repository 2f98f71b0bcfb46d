import { describe, expect, it } from '@jest/globals';
import type { Platform } from '@tokone/protocol';
import { writeReadyBlock } from './ready-block.js';
import type { ReadyBlockInput } from './ready-block.js';

const KEYS = new Map<Platform, string>([['openai', 'sk-open'], ['anthropic', 'sk-anth']]);
const blockOf = (changes: Partial<ReadyBlockInput> & { path?: string } = {}) =>
  writeReadyBlock({
    baseUrl: 'http://127.0.0.1:8080',
    startedInMs: 1_234,
    quickstart: { path: changes.path ?? '/data/quickstart.env', keys: KEYS, created: true },
    targets: [
      { platform: 'openai', kind: 'paid', baseUrl: 'https://api.openai.com', credential: 'provider-secret', keySetting: 'OPENAI_API_KEY' },
      { platform: 'anthropic', kind: 'simulated', baseUrl: 'http://127.0.0.1:7000', credential: 'simulated-credential', keySetting: 'ANTHROPIC_API_KEY' },
    ],
    showKeys: false,
    ...changes,
  });

describe('the ready block', () => {
  it('begins with the words that scripts wait for', () => {
    expect(blockOf()).toMatch(/^TokOne is ready on http:\/\/127\.0\.0\.1:8080 \(started in 1\.2 s\)\n/);
  });

  it('says which group spends real money, at which address and why, and of the others that they do not', () => {
    const lines = blockOf().split('\n');
    expect(lines.find((line) => line.includes('openai'))).toMatch(/SPENDS REAL MONEY at https:\/\/api\.openai\.com, because OPENAI_API_KEY is set/);
    expect(lines.find((line) => line.includes('anthropic'))).toMatch(/simulated by .*: costs no real money/);
    expect(lines.filter((line) => line.includes('REAL MONEY'))).toHaveLength(1);
  });

  it('shows keys only when it is told to, and a provider key never', () => {
    expect(blockOf()).not.toContain('sk-open');
    expect(blockOf()).toContain('Keys: /data/quickstart.env');
    expect(blockOf({ showKeys: true })).toMatch(/sk-open[^]*sk-anth/);
    expect(blockOf({ showKeys: true })).not.toContain('provider-secret');
  });

  it('has one line to paste that survives any path', () => {
    const [line, ...others] = blockOf({ path: "/it's $HOME/quickstart.env" }).split('\n').filter((text) => text.includes('curl'));
    expect(others).toEqual([]);
    expect(line).toMatch(/^\. '\/it'\\''s \$HOME\/quickstart\.env' && curl /);
  });
});
