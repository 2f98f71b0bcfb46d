import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AccountFeature } from '@tokone/account';
import type { Platform } from '@tokone/protocol';
import { writePrivateFile } from './private-file.js';
import type { UpstreamTarget } from './upstream-targets.js';

export interface QuickstartKeys {
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

/** Groups, demo account and keys on the first start; on later ones the keys that quickstart.env has kept. */
export async function ensureQuickstart(feature: AccountFeature, dataFolder: string, targets: readonly UpstreamTarget[]): Promise<QuickstartKeys> {
  const path = join(dataFolder, 'quickstart.env');
  const kept = await readEnvFile(path);
  const groups = targets.map(({ platform, baseUrl, credential }) => ({ name: platform, platform, baseUrl, credential, knownKey: kept.get(KEY_NAMES[platform]) }));
  const { newKeys } = await feature.deployment.ensureQuickstart(groups);
  for (const { name, baseUrl, credential } of groups) await feature.deployment.setGroupUpstream(name, { baseUrl, credential });
  const keys = new Map(targets.map(({ platform }) => [platform, newKeys.get(platform) ?? kept.get(KEY_NAMES[platform]) ?? '']));
  return { path, keys, created: newKeys.size > 0 };
}

/** `KEY=value` lines that a shell can source. Written before each ready line: addresses may have changed. */
export async function writeQuickstartEnv({ path, keys }: QuickstartKeys, addresses: { baseUrl: string; simulatorUrl: string; databaseUrl: string }): Promise<void> {
  const lines = [
    `TOKONE_BASE_URL=${addresses.baseUrl}`,
    ...[...keys].map(([platform, key]) => `${KEY_NAMES[platform]}=${key}`),
    `TOKONE_SIMULATOR_URL=${addresses.simulatorUrl}`,
    `TOKONE_DATABASE_URL='${addresses.databaseUrl}'`,
  ];
  await writePrivateFile(path, `${lines.join('\n')}\n`);
}

async function readEnvFile(path: string): Promise<Map<string, string>> {
  try {
    const lines = (await readFile(path, 'utf8')).split('\n');
    return new Map(lines.map((line): [string, string] => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map();
    throw error;
  }
}
