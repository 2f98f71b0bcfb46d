import { describe, expect, it } from '@jest/globals';
import { upstreamTargets } from './upstream-targets.js';
import type { UpstreamSettings } from './upstream-targets.js';

const SIMULATOR = 'http://127.0.0.1:7000';
const NONE: UpstreamSettings = {
  OPENAI_API_KEY: undefined,
  ANTHROPIC_API_KEY: undefined,
  GEMINI_API_KEY: undefined,
  TOKONE_OPENAI_UPSTREAM_URL: undefined,
  TOKONE_ANTHROPIC_UPSTREAM_URL: undefined,
  TOKONE_GEMINI_UPSTREAM_URL: undefined,
};
const targetsOf = (settings: Partial<UpstreamSettings>) => new Map(upstreamTargets({ ...NONE, ...settings }, SIMULATOR).map((target) => [target.platform, target]));

describe('upstream targets', () => {
  it('are the simulator when nothing is set', () => {
    const targets = targetsOf({});
    expect([...targets.keys()]).toEqual(['openai', 'anthropic', 'gemini']);
    for (const target of targets.values()) expect(target).toMatchObject({ kind: 'simulated', baseUrl: SIMULATOR });
  });

  it.each([
    ['openai', 'OPENAI_API_KEY', 'https://api.openai.com'],
    ['anthropic', 'ANTHROPIC_API_KEY', 'https://api.anthropic.com'],
    ['gemini', 'GEMINI_API_KEY', 'https://generativelanguage.googleapis.com'],
  ] as const)('are the provider for group %s alone when %s is set', (platform, name, baseUrl) => {
    const targets = targetsOf({ [name]: 'real-key' });
    expect(targets.get(platform)).toMatchObject({ kind: 'paid', baseUrl, credential: 'real-key', keySetting: name });
    const others = [...targets.values()].filter((target) => target.platform !== platform);
    expect(others.map(({ kind, credential }) => [kind, credential])).toEqual(Array.from({ length: 2 }, () => ['simulated', 'simulated-credential']));
  });

  it('count as paid at another address too when the key goes there', () => {
    const target = targetsOf({ OPENAI_API_KEY: 'real-key', TOKONE_OPENAI_UPSTREAM_URL: 'http://proxy:9' }).get('openai');
    expect(target).toMatchObject({ kind: 'paid', baseUrl: 'http://proxy:9', credential: 'real-key' });
  });

  it('send no key to another address when there is none', () => {
    const target = targetsOf({ TOKONE_GEMINI_UPSTREAM_URL: 'http://proxy:9' }).get('gemini');
    expect(target).toMatchObject({ kind: 'unpaid', baseUrl: 'http://proxy:9', credential: 'simulated-credential' });
  });
});
