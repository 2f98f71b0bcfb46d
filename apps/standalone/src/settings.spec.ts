import { resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { SettingsError, readSettings } from '@tokone/http';
import { SETTINGS } from './settings.js';

const WORKSPACE = resolve(import.meta.dirname, '../../..');
const faultsOf = (environment: Record<string, string>): readonly string[] => {
  try {
    readSettings(SETTINGS, environment);
    return [];
  } catch (error) {
    if (error instanceof SettingsError) return error.sentences;
    throw error;
  }
};

describe('settings of the standalone', () => {
  it('need none: loopback, port 8080, the data folder in the repository, keys that begin with sk-, no provider', () => {
    const settings = readSettings(SETTINGS, {});
    expect(settings).toMatchObject({ HOST: '127.0.0.1', PORT: 8080, TOKONE_DATA_DIR: `${WORKSPACE}/.tokone`, TOKONE_KEY_PREFIX: 'sk-' });
    expect([settings.OPENAI_API_KEY, settings.ANTHROPIC_API_KEY, settings.GEMINI_API_KEY]).toEqual([undefined, undefined, undefined]);
  });

  it('count an empty value as not set', () => {
    expect(readSettings(SETTINGS, { PORT: '', OPENAI_API_KEY: '', TOKONE_DATA_DIR: '' })).toEqual(readSettings(SETTINGS, {}));
  });

  it('take a relative data folder from where the user stands', () => {
    expect(readSettings(SETTINGS, { TOKONE_DATA_DIR: 'data/one' }).TOKONE_DATA_DIR).toBe(resolve('data/one'));
  });

  it.each([
    ['PORT', 'x'],
    ['PORT', '-1'],
    ['PORT', '65536'],
    ['PORT', '80.5'],
    ['TOKONE_DATA_DIR', '~/data'],
    ['TOKONE_KEY_PREFIX', 'with space'],
    ['TOKONE_KEY_PREFIX', '-sk'],
    ['TOKONE_KEY_PREFIX', "a'b"],
    ['TOKONE_KEY_PREFIX', 'far-too-long-to-be-a-prefix'],
    ['OPENAI_API_KEY', 'line\nbreak'],
    ['TOKONE_OPENAI_UPSTREAM_URL', 'api.openai.com'],
    ['TOKONE_GEMINI_UPSTREAM_URL', 'https://user:password@example.com'],
    ['TOKONE_DRAIN_SECONDS', '36'],
    ['TOKONE_SPOOL_STRICT', 'true'],
    ['TOKONE_PRICES_FILE', '/nowhere/prices.json'],
    ['LOG_LEVEL', 'loud'],
  ])('refuse %s=%s in one sentence that names it', (name, value) => {
    const faults = faultsOf({ [name]: value });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(new RegExp(`^${name}=.*\\.$`, 's'));
  });

  it('name every fault at once, and never show a provider key', () => {
    const faults = faultsOf({ PORT: 'x', ANTHROPIC_API_KEY: 'sk-ant secret', LOG_LEVEL: 'loud' });
    expect(faults).toHaveLength(3);
    expect(faults.join()).not.toContain('secret');
  });
});
