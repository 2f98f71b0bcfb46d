import { join } from 'node:path';
import type { AccountFeature } from '@tokone/account';
import type { Platform } from '@tokone/protocol';
import { readFileIfThere } from './private-file.js';
import { readQuickstartKeys } from './quickstart-env.js';
import type { UpstreamTarget } from './upstream-targets.js';

export interface QuickstartKeys {
  /** Of quickstart.env. */
  path: string;
  /** Key of each group, in the clear. */
  keys: ReadonlyMap<Platform, string>;
  /** Keys were issued by this start. */
  created: boolean;
}

/** Groups, demo account and keys on the first start; on later ones the keys that quickstart.env has kept. */
export async function ensureQuickstart(feature: AccountFeature, dataFolder: string, targets: readonly UpstreamTarget[]): Promise<QuickstartKeys> {
  const path = join(dataFolder, 'quickstart.env');
  const kept = readQuickstartKeys((await readFileIfThere(path)) ?? '');
  const groups = targets.map(({ platform, baseUrl, credential }) => ({ name: platform, platform, baseUrl, credential, knownKey: kept.get(platform) }));
  const { newKeys } = await feature.deployment.ensureQuickstart(groups);
  for (const { name, baseUrl, credential } of groups) await feature.deployment.setGroupUpstream(name, { baseUrl, credential });
  const keys = new Map(targets.map(({ platform }) => [platform, newKeys.get(platform) ?? kept.get(platform) ?? '']));
  return { path, keys, created: newKeys.size > 0 };
}
