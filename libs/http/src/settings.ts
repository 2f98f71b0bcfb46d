import { resolve } from 'node:path';

/** One setting: how it is read, what it means, what it is when nobody sets it. */
export interface Setting<T> {
  /** A sentence for `--help` and docs/configuration.md. */
  about: string;
  /** As a person would write it; shown as the default. Undefined = unset. */
  fallback: string | undefined;
  /** Never shown. */
  secret?: boolean;
  /** Throws an Error whose message ends the sentence "NAME=value …". */
  read(text: string | undefined): T;
}

export type SettingsTable = Readonly<Record<string, Setting<unknown>>>;
export type Settings<Table extends SettingsTable> = { [Name in keyof Table]: ReturnType<Table[Name]['read']> };

/** All that is wrong with the environment, one sentence each. */
export class SettingsError extends Error {
  constructor(readonly sentences: readonly string[]) {
    super(sentences.join('\n'));
  }
}

/** Reads every setting of a table from an environment. An empty value counts as unset. Throws a `SettingsError`. */
export function readSettings<Table extends SettingsTable>(
  table: Table,
  environment: Readonly<Record<string, string | undefined>>,
): Settings<Table> {
  const values: Record<string, unknown> = {};
  const sentences: string[] = [];
  for (const [name, setting] of Object.entries(table)) {
    const given = environment[name];
    const text = given === undefined || given === '' ? setting.fallback : given;
    try {
      values[name] = setting.read(text);
    } catch (error) {
      const shown = text === undefined ? name : `${name}=${setting.secret ? '…' : withoutCredentials(text)}`;
      sentences.push(`${shown} ${error instanceof Error ? error.message : 'cannot be read.'}`);
    }
  }
  if (sentences.length > 0) throw new SettingsError(sentences);
  return values as Settings<Table>;
}

/** Whatever stands before the last @ of an address may be a password that somebody put where none belongs. */
function withoutCredentials(text: string): string {
  return text.replace(/\/\/\S*@/g, '//…@');
}

/** The table as aligned lines for a terminal. */
export function describeSettings(table: SettingsTable): string {
  const width = Math.max(...Object.keys(table).map((name) => name.length));
  return Object.entries(table)
    .map(([name, setting]) => `  ${name.padEnd(width)}  ${setting.about} ${describeFallback(setting)}`)
    .join('\n');
}

/** The table as Markdown, for docs/configuration.md. */
export function documentSettings(table: SettingsTable): string {
  const rows = Object.entries(table).map(([name, setting]) => `| \`${name}\` | ${setting.fallback === undefined ? '' : `\`${setting.fallback}\``} | ${setting.about} |`);
  return ['| setting | default | meaning |', '|---|---|---|', ...rows].join('\n');
}

function describeFallback(setting: Setting<unknown>): string {
  return setting.fallback === undefined ? '' : `[${setting.fallback}]`;
}

export function text(about: string, fallback: string): Setting<string> {
  return { about, fallback, read: (value) => value ?? '' };
}

export function optionalText(about: string): Setting<string | undefined> {
  return { about, fallback: undefined, read: (value) => value };
}

/** An absolute path; a relative one starts where the user stands, `standard` is taken when none is set. */
export function folder(about: string, standard: string): Setting<string> {
  return {
    about,
    fallback: undefined,
    read(value) {
      if (value === undefined) return standard;
      if (value.startsWith('~')) throw new Error('begins with ~, which only a shell replaces: write the whole path.');
      return resolve(value);
    },
  };
}

export function secret(about: string): Setting<string | undefined> {
  return {
    about,
    fallback: undefined,
    secret: true,
    read(value) {
      if (value !== undefined && !/^[\x21-\x7e]+$/.test(value)) throw new Error('has characters that cannot stand in a header: check that it was pasted whole, without spaces.');
      return value;
    },
  };
}

export function integer(about: string, fallback: number, range: { min: number; max: number }): Setting<number> {
  return {
    about,
    fallback: String(fallback),
    read(value) {
      const number = Number(value);
      if (!/^\d+$/.test(value ?? '') || number < range.min || number > range.max) {
        throw new Error(`is not a whole number from ${range.min} to ${range.max}.`);
      }
      return number;
    },
  };
}

export function choice<Choice extends string>(about: string, fallback: Choice, choices: readonly Choice[]): Setting<Choice> {
  return {
    about,
    fallback,
    read(value) {
      const found = choices.find((candidate) => candidate === value);
      if (found === undefined) throw new Error(`is not one of ${choices.join(', ')}.`);
      return found;
    },
  };
}

export function pattern(about: string, fallback: string, rule: { matches: RegExp; sentence: string }): Setting<string> {
  return {
    about,
    fallback,
    read(value) {
      if (value === undefined || !rule.matches.test(value)) throw new Error(rule.sentence);
      return value;
    },
  };
}

/** One or more values with commas in between; at least one unless there is a default. */
export function list(about: string, fallback?: string): Setting<readonly string[]> {
  return {
    about,
    fallback,
    read(value = '') {
      const parts = value.split(',').map((part) => part.trim()).filter((part) => part !== '');
      if (parts.length === 0) throw new Error('is not set, and has no default.');
      return parts;
    },
  };
}

/** One that may be left out. */
export function optional<Value>(setting: Setting<Value>): Setting<Value | undefined> {
  return { ...setting, fallback: undefined, read: (value) => (value === undefined ? undefined : setting.read(value)) };
}

/** Kafka brokers, host:port with commas in between. */
export function brokers(about: string): Setting<readonly string[]> {
  const many = list(about);
  const isBroker = (part: string): boolean => /^(?:[\w.-]+|\[[\da-f:.]+\]):\d{1,5}$/i.test(part) && Number(part.slice(part.lastIndexOf(':') + 1)) <= 65_535;
  return {
    ...many,
    read(value) {
      const found = many.read(value);
      if (!found.every(isBroker)) throw new Error('is not a list of brokers: host:port with commas in between.');
      return found;
    },
  };
}

/** Where a Redis is; with commas in between, nodes of a cluster. Shown to nobody: it may hold a password. */
export function redisUrl(about: string): Setting<string> {
  const one = serverUrl(about, (url) => /^rediss?:$/.test(url.protocol), 'is not the address of a Redis: redis://host:6379.');
  return { ...one, read: (value) => (value ?? '').split(',').map((part) => one.read(part)).join(',') };
}

/** Addresses of the replicas of a service, with commas in between. */
export function baseUrls(about: string): Setting<readonly string[]> {
  const one = baseUrl(about);
  const many = list(about);
  return { ...many, read: (value) => many.read(value).map((part) => one.read(part) ?? '') };
}

/** Where a PostgreSQL database is, with user and password. Shown to nobody. */
export function databaseUrl(about: string): Setting<string> {
  const fits = (url: URL): boolean => /^postgres(ql)?:$/.test(url.protocol) && url.pathname.length > 1;
  return serverUrl(about, fits, 'is not the address of a database: postgres://user:password@host:5432/database.');
}

function serverUrl(about: string, fits: (url: URL) => boolean, sentence: string): Setting<string> {
  return {
    about,
    fallback: undefined,
    secret: true,
    read(value) {
      const url = value === undefined ? null : URL.parse(value);
      if (value === undefined || url === null || !fits(url)) throw new Error(sentence);
      return value;
    },
  };
}

/** 32 random bytes as base64url. */
export function secretBytes(about: string): Setting<Buffer> {
  return {
    about,
    fallback: undefined,
    secret: true,
    read(value) {
      if (value === undefined) throw new Error('is not set. Make one with: openssl rand -base64 32 | tr "+/" "-_" | tr -d "="');
      const bytes = Buffer.from(value, 'base64url');
      if (bytes.length !== 32 || new Set(bytes).size < 8) throw new Error('is not 32 random bytes as base64url. Make one with: openssl rand -base64 32 | tr "+/" "-_" | tr -d "="');
      return bytes;
    },
  };
}

const SAMPLE_SECRET = /change|sample|example|secret|password|placeholder|default|insecure|test|todo|xxxx|1234|abcd/i;

/** What services prove to each other with. Nothing that could stand in a document is taken. */
export function internalSecret(about: string): Setting<string> {
  return {
    about,
    fallback: undefined,
    secret: true,
    read(value) {
      const remedy = 'Make one with: openssl rand -hex 32';
      if (value === undefined) throw new Error(`is not set. Every service of a deployment needs the same one. ${remedy}`);
      if (value.length < 32 || !/^[\x21-\x7e]+$/.test(value)) throw new Error(`is shorter than 32 characters or has spaces. ${remedy}`);
      const repeated = /^(.{1,16})\1+$/.test(value);
      if (repeated || new Set(value).size < 8 || (SAMPLE_SECRET.test(value) && !/^[0-9a-f]+$/i.test(value))) throw new Error(`is a sample value that others know. ${remedy}`);
      return value;
    },
  };
}

/** An http or https base URL without query, trailing slash removed. */
export function baseUrl(about: string): Setting<string | undefined> {
  return {
    about,
    fallback: undefined,
    read(value) {
      if (value === undefined) return undefined;
      const url = URL.canParse(value) ? new URL(value) : undefined;
      if (!url || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '') {
        throw new Error('is not an http or https base URL like https://api.example.com.');
      }
      return value.replace(/\/+$/, '');
    },
  };
}
