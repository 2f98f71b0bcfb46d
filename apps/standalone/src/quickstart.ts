import { join } from 'node:path';
import type { AccountFeature } from '@tokone/account';
import { readFileIfThere } from '@tokone/service';
import { readQuickstartKeys } from '@tokone/quickstart';
import type { QuickstartKeys, UpstreamTarget } from '@tokone/quickstart';

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
