import { resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { SettingsError, baseUrl, choice, describeSettings, documentSettings, folder, integer, optionalText, pattern, readSettings, secret, text } from './settings.js';
import type { SettingsTable } from './settings.js';

const table = {
  HOST: text('Address to listen on.', '127.0.0.1'),
  PORT: integer('Port to listen on.', 8787, { min: 0, max: 65_535 }),
  LEVEL: choice('How much is logged.', 'info', ['info', 'debug']),
  PREFIX: pattern('How keys begin.', 'sk-', { matches: /^[a-z]{2,8}-$/, sentence: 'is not two to eight small letters and a hyphen.' }),
  FOLDER: optionalText('Where data is kept.'),
  URL: baseUrl('Base URL of the provider.'),
  CREDENTIAL: secret('Key at the provider.'),
};

function sentencesOf(environment: Record<string, string>): readonly string[] {
  try {
    readSettings(table, environment);
  } catch (error) {
    if (error instanceof SettingsError) return error.sentences;
    throw error;
  }
  return [];
}

describe('settings', () => {
  it('are their defaults where nobody sets them, and an empty value is none', () => {
    const defaults = { HOST: '127.0.0.1', PORT: 8787, LEVEL: 'info', PREFIX: 'sk-', FOLDER: undefined, URL: undefined, CREDENTIAL: undefined };
    expect(readSettings(table, {})).toEqual(defaults);
    expect(readSettings(table, Object.fromEntries(Object.keys(table).map((name) => [name, ''])))).toEqual(defaults);
  });

  it('are read from the environment, which may hold anything else', () => {
    const given = { HOST: '::', PORT: '0', LEVEL: 'debug', PREFIX: 'ab-', FOLDER: ' a b ', URL: 'https://x.test/base//', CREDENTIAL: 'k+/=', OTHER: 'x' };
    expect(readSettings(table, given)).toEqual({ HOST: '::', PORT: 0, LEVEL: 'debug', PREFIX: 'ab-', FOLDER: ' a b ', URL: 'https://x.test/base', CREDENTIAL: 'k+/=' });
  });

  it('that are wrong are all named at once, each in a sentence', () => {
    expect(sentencesOf({ PORT: '99999', LEVEL: 'loud', PREFIX: 'SK_', URL: 'ftp://x' })).toEqual([
      'PORT=99999 is not a whole number from 0 to 65535.',
      'LEVEL=loud is not one of info, debug.',
      'PREFIX=SK_ is not two to eight small letters and a hyphen.',
      'URL=ftp://x is not an http or https base URL like https://api.example.com.',
    ]);
  });

  it.each(['-1', '1.5', '1e3', '0x10', ' 1', '1 ', 'NaN', '٣', '65536', '9'.repeat(400)])('refuse %p as a port', (value) => {
    expect(sentencesOf({ PORT: value })).toHaveLength(1);
  });

  it.each(['x', 'api.example.com', 'ws://x', 'https://x?a=1', 'https://x#a', 'https://user@x', 'https://:pass@x', 'https://', 'file:///etc'])('refuse %p as a base URL', (value) => {
    expect(sentencesOf({ URL: value })).toHaveLength(1);
  });

  it('take the base URLs that people have', () => {
    for (const url of ['http://127.0.0.1:9000', 'https://api.openai.com', 'https://x.test/proxy/openai', 'http://[::1]:80']) expect(readSettings(table, { URL: url }).URL).toBe(url);
  });

  it.each(['two words', 'line\nbreak', 'tab\t', 'ü', '\u0000'])('refuse %p as a secret without showing it', (value) => {
    const [sentence] = sentencesOf({ CREDENTIAL: value });
    expect(sentence).toMatch(/^CREDENTIAL=… has characters/);
    expect(sentence).not.toContain(value);
  });

  it('take a folder as an absolute path, from where the user stands; ~ means nothing to them', () => {
    const folders = { DATA: folder('Where data is kept.', '/standard') };
    expect(readSettings(folders, {}).DATA).toBe('/standard');
    expect(readSettings(folders, { DATA: 'one/two' }).DATA).toBe(resolve('one/two'));
    expect(() => readSettings(folders, { DATA: '~/one' })).toThrow('only a shell replaces');
  });

  it('describe themselves for a terminal and for a document', () => {
    expect(describeSettings(table).split('\n')).toHaveLength(7);
    expect(describeSettings(table)).toContain('  PORT        Port to listen on. [8787]');
    const document = documentSettings(table as SettingsTable).split('\n');
    expect(document.slice(0, 2)).toEqual(['| setting | default | meaning |', '|---|---|---|']);
    expect(document).toContain('| `FOLDER` |  | Where data is kept. |');
  });
});
