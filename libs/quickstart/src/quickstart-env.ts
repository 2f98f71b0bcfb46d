import type { Platform } from '@tokone/protocol';

/** What quickstart.env tells the scripts that source it. */
export interface QuickstartEnv {
  baseUrl: string;
  keys: ReadonlyMap<Platform, string>;
  simulatorUrl: string;
  databaseUrl: string;
  /** Only where the deployment has them. */
  kafkaBrokers?: readonly string[];
  redisUrl?: string;
}

export interface QuickstartKeys {
  /** Of quickstart.env. */
  path: string;
  /** Key of each group, in the clear. */
  keys: ReadonlyMap<Platform, string>;
  /** Keys were issued by this start. */
  created: boolean;
}

const KEY_NAMES: Readonly<Record<Platform, string>> = {
  openai: 'TOKONE_OPENAI_KEY',
  anthropic: 'TOKONE_ANTHROPIC_KEY',
  gemini: 'TOKONE_GEMINI_KEY',
};

/** `KEY=value` lines that a shell can source. */
export function writeQuickstartEnv({ baseUrl, keys, simulatorUrl, databaseUrl, kafkaBrokers, redisUrl }: QuickstartEnv): string {
  const values: [string, string][] = [
    ['TOKONE_BASE_URL', baseUrl],
    ...[...keys].map(([platform, key]): [string, string] => [KEY_NAMES[platform], key]),
    ['TOKONE_SIMULATOR_URL', simulatorUrl],
    ['TOKONE_DATABASE_URL', databaseUrl],
    ...(kafkaBrokers ? [['TOKONE_KAFKA_BROKERS', kafkaBrokers.join(',')] as [string, string]] : []),
    ...(redisUrl === undefined ? [] : [['TOKONE_REDIS_URL', redisUrl] as [string, string]]),
  ];
  return values.map(([name, value]) => `${name}=${quoteForShell(value)}\n`).join('');
}

/** The keys in the text of a quickstart.env, whoever edited it since. */
export function readQuickstartKeys(text: string): Map<Platform, string> {
  const keys = new Map<Platform, string>();
  for (const [platform, name] of Object.entries(KEY_NAMES) as [Platform, string][]) {
    const [, value = ''] = new RegExp(`^\\s*(?:export\\s+)?${name}=(.*)$`, 'm').exec(text) ?? [];
    const key = value.trim().replace(/^(['"])(.*)\1$/, '$2');
    if (key !== '') keys.set(platform, key);
  }
  return keys;
}

/** As it stands where every shell and every reader of such files agrees on it, else in single quotes. */
export function quoteForShell(value: string): string {
  return /^[\w./:@%+=,-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`;
}
