import { resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { SettingsError, baseUrl, baseUrls, brokers, choice, databaseUrl, describeSettings, documentSettings, folder, integer, internalSecret, list, optional, optionalText, pattern, readSettings, redisUrl, secret, secretBytes, text } from './settings.js';
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

  it('take lists with commas, of plain values and of base URLs', () => {
    const lists = { BROKERS: list('Brokers.'), URLS: baseUrls('Replicas.') };
    expect(readSettings(lists, { BROKERS: 'a:1, b:2,', URLS: 'http://a:1/,http://b:2' })).toEqual({ BROKERS: ['a:1', 'b:2'], URLS: ['http://a:1', 'http://b:2'] });
    expect(() => readSettings(lists, { URLS: 'http://a' })).toThrow('BROKERS is not set');
    expect(() => readSettings(lists, { BROKERS: 'a:1', URLS: 'http://a,b' })).toThrow('is not an http or https base URL');
    for (const value of ['http://user:hunter2@a', 'http://u:hunt@er2/x@y:99999']) expect(() => readSettings(lists, { BROKERS: 'a:1', URLS: value })).toThrow(/^URLS=http:\/\/…@\S+ is not/);
  });

  it.each([
    [undefined, 'is not set'],
    ['short', 'shorter than 32'],
    ['change-me-change-me-change-me-1234567', 'sample value'],
    ['0123456789abcdef0123456789abcdef', 'sample value'],
    ['aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'sample value'],
    ['my-super-secret-password-0987654321-zyx', 'sample value'],
  ])('refuse %j as the secret of the services', (value, sentence) => {
    const secrets = { TOKONE_INTERNAL_SECRET: internalSecret('Of the services.') };
    expect(() => readSettings(secrets, { TOKONE_INTERNAL_SECRET: value })).toThrow(sentence);
  });

  it('take a random secret, and random bytes', () => {
    const secrets = { ONE: internalSecret('Of the services.'), TWO: secretBytes('Of the keys.') };
    const two = Buffer.from(Array.from({ length: 32 }, (_each, index) => index * 7 + 3));
    const read = readSettings(secrets, { ONE: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c', TWO: two.toString('base64url') });
    expect(read).toEqual({ ONE: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c', TWO: two });
    expect(() => readSettings(secrets, { ONE: read.ONE, TWO: Buffer.alloc(32).toString('base64url') })).toThrow('32 random bytes');
    expect(() => readSettings(secrets, { ONE: read.ONE })).toThrow('TWO is not set');
  });

  it('take brokers as host:port, and the address of a Redis, each also where it may be left out', () => {
    const servers = { BROKERS: brokers('Of Kafka.'), MORE: optional(brokers('Of Kafka.')), REDIS: optional(redisUrl('Of Redis.')) };
    expect(readSettings(servers, { BROKERS: 'a.b-c:9092, [::1]:65535' })).toEqual({ BROKERS: ['a.b-c:9092', '[::1]:65535'], MORE: undefined, REDIS: undefined });
    expect(readSettings(servers, { BROKERS: 'a:1', MORE: 'b:2', REDIS: 'rediss://:hunter2@h:1/0' })).toEqual({ BROKERS: ['a:1'], MORE: ['b:2'], REDIS: 'rediss://:hunter2@h:1/0' });
    for (const value of ['localhost', 'a:1,b', 'a:99999', 'http://a:1']) expect(() => readSettings(servers, { BROKERS: value })).toThrow(`BROKERS=${value} is not a list of brokers`);
    expect(() => readSettings(servers, { BROKERS: 'a:1', REDIS: 'hunter2' })).toThrow(/^REDIS=… is not the address of a Redis/);
  });

  it('take the address of a database, and never show it', () => {
    const databases = { DATABASE_URL: databaseUrl('Of the service.') };
    expect(readSettings(databases, { DATABASE_URL: 'postgres://a:b@h:1/d' })).toEqual({ DATABASE_URL: 'postgres://a:b@h:1/d' });
    expect(() => readSettings(databases, {})).toThrow(/^DATABASE_URL is not the address of a database/);
    for (const value of ['postgres://a:hunter2@h', 'mysql://a:hunter2@h/d', 'hunter2']) {
      expect(() => readSettings(databases, { DATABASE_URL: value })).toThrow(/^DATABASE_URL=… is not the address of a database/);
    }
  });
});
