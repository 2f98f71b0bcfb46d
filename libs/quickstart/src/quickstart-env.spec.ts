import { execFileSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import type { Platform } from '@tokone/protocol';
import fc from 'fast-check';
import { quoteForShell, readQuickstartKeys, writeQuickstartEnv } from './quickstart-env.js';

const KEYS = new Map<Platform, string>([['openai', 'sk-a_1'], ['anthropic', 'sk-b-2'], ['gemini', 'sk-c3']]);
const inShell = (program: string): string => execFileSync('/bin/sh', ['-c', program], { encoding: 'utf8', env: {} });

describe('quickstart.env', () => {
  it('gives a shell that sources it every value as it was', () => {
    const env = writeQuickstartEnv({ baseUrl: 'http://[::1]:8080', keys: KEYS, simulatorUrl: 'http://127.0.0.1:7000', databaseUrl: "postgres://u:p's $x`y`@h:1/d" });
    const names = ['BASE_URL', 'OPENAI_KEY', 'ANTHROPIC_KEY', 'GEMINI_KEY', 'SIMULATOR_URL', 'DATABASE_URL'];
    const shown = inShell(`${env}printf '%s\\n' ${names.map((name) => `"$TOKONE_${name}"`).join(' ')}`);
    expect(shown.split('\n')).toEqual(['http://[::1]:8080', 'sk-a_1', 'sk-b-2', 'sk-c3', 'http://127.0.0.1:7000', "postgres://u:p's $x`y`@h:1/d", '']);
  });

  it('quotes so that a shell reads back any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii' }), (text) => {
        expect(inShell(`printf '%s' ${quoteForShell(text)}`)).toBe(text);
      }),
      { numRuns: 30 },
    );
  });

  it('leaves plain values without quotes, for readers that are no shell', () => {
    expect(writeQuickstartEnv({ baseUrl: 'http://127.0.0.1:1', keys: KEYS, simulatorUrl: 'http://127.0.0.1:2', databaseUrl: 'postgres://u:p-_@127.0.0.1:3/tokone' })).not.toMatch(/['"]/);
  });

  it('gets its keys back, also from a file that somebody edited', () => {
    const env = writeQuickstartEnv({ baseUrl: 'b', keys: KEYS, simulatorUrl: 's', databaseUrl: 'd' });
    expect(readQuickstartKeys(env)).toEqual(KEYS);
    expect(readQuickstartKeys('export TOKONE_OPENAI_KEY="sk-x"\r\n# a note\nTOKONE_GEMINI_KEY=\'sk-y\'\nTOKONE_ANTHROPIC_KEY=\n')).toEqual(
      new Map([['openai', 'sk-x'], ['gemini', 'sk-y']]),
    );
  });
});
