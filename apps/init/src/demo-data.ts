import { ACCOUNT_SCHEMA, AccountFeature } from '@tokone/account';
import type { Settings } from '@tokone/http';
import { StartupError, openDatabase, openPool } from '@tokone/persistence';
import type { Platform, Uuid7Source } from '@tokone/protocol';
import { quoteForShell, upstreamTargets } from '@tokone/quickstart';
import type { Logger } from '@tokone/telemetry';
import type { SETTINGS } from './settings.js';

const STATEMENT_TIMEOUT_MS = 10_000;

export interface DemoWorld {
  logger: Logger;
  ids: Uuid7Source;
}

/** Makes what is missing. Returns `TOKONE_OPENAI_KEY=…` and its two siblings, each on a line. */
export async function makeDemoData(settings: Settings<typeof SETTINGS>, world: DemoWorld): Promise<string> {
  const targets = upstreamTargets(settings, settings.TOKONE_SIMULATOR_URL ?? '');
  const homeless = targets.find(({ baseUrl }) => baseUrl === '');
  if (homeless) throw new StartupError(`Group ${homeless.platform} has no upstream: set its provider key or its upstream URL, or TOKONE_SIMULATOR_URL.`);
  const known: Readonly<Record<Platform, string | undefined>> = { openai: settings.TOKONE_OPENAI_KEY, anthropic: settings.TOKONE_ANTHROPIC_KEY, gemini: settings.TOKONE_GEMINI_KEY };
  const groups = targets.map(({ platform, baseUrl, credential }) => ({ name: platform, platform, baseUrl, credential, knownKey: known[platform] }));
  return withAccounts(settings, world, async (feature) => {
    const { newKeys } = await feature.deployment.ensureQuickstart(groups);
    for (const { name, baseUrl, credential } of groups) await feature.deployment.setGroupUpstream(name, { baseUrl, credential });
    return groups.map(({ platform, knownKey }) => `TOKONE_${platform.toUpperCase()}_KEY=${quoteForShell(newKeys.get(platform) ?? knownKey ?? '')}\n`).join('');
  });
}

async function withAccounts<Result>(settings: Settings<typeof SETTINGS>, { logger, ids }: DemoWorld, work: (feature: AccountFeature) => Promise<Result>): Promise<Result> {
  const connection = { url: settings.DATABASE_URL, statementTimeoutMs: STATEMENT_TIMEOUT_MS, applicationName: 'tokone init' };
  const database = await openDatabase({ ...connection, ...ACCOUNT_SCHEMA, poolSize: 2 });
  const pool = openPool({ ...connection, poolSize: 2 });
  try {
    const raiseAlarm = (alarm: { kind: string }): void => logger.error({ kind: alarm.kind }, 'alarm');
    return await work(new AccountFeature({ database, pool, pepper: settings.TOKONE_KEY_PEPPER, sealingKey: settings.TOKONE_SEALING_KEY, keyPrefix: settings.TOKONE_KEY_PREFIX, ids, raiseAlarm }));
  } finally {
    await pool.end();
    await database.destroy();
  }
}
