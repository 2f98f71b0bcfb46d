import { createHash } from 'node:crypto';
import type { Platform } from '@tokone/protocol';
import { readQuickstartKeys } from '@tokone/quickstart';
import type { UpstreamTarget } from '@tokone/quickstart';
import type { LocalServers } from './local-servers.js';
import { variablesForNode } from './settings.js';
import type { SupervisorSettings } from './settings.js';
import { runCommand } from './service-command.js';

export interface PreparationInput {
  settings: SupervisorSettings;
  servers: LocalServers;
  secrets: { pepper: Buffer; sealingKey: Buffer };
  passwords: { account: string; billing: string };
  targets: readonly UpstreamTarget[];
  /** The demo keys that were kept. */
  known: ReadonlyMap<Platform, string>;
}

export interface Preparation {
  databases: { accountDatabaseUrl: string; billingDatabaseUrl: string };
  keys: ReadonlyMap<Platform, string>;
  /** Keys were issued now. */
  created: boolean;
}

/** Tables, roles, topics and the demo data, by the commands that a deployer would run. */
export async function prepareDeployment({ settings, servers, secrets, passwords, targets, known }: PreparationInput): Promise<Preparation> {
  const databases = {
    accountDatabaseUrl: roleUrl(servers.databaseUrl, 'account', passwords.account),
    billingDatabaseUrl: roleUrl(servers.databaseUrl, 'billing', passwords.billing),
  };
  await runCommand('migrate', {
    DATABASE_URL: servers.databaseUrl,
    TOKONE_ACCOUNT_DATABASE_URL: databases.accountDatabaseUrl,
    TOKONE_BILLING_DATABASE_URL: databases.billingDatabaseUrl,
    KAFKA_BROKERS: servers.kafkaBrokers.join(','),
    TOKONE_KAFKA_TOPIC_PREFIX: settings.TOKONE_KAFKA_TOPIC_PREFIX,
    LOG_LEVEL: settings.LOG_LEVEL,
    ...variablesForNode(settings),
    ...(settings.TOKONE_PRICES_FILE !== undefined && { TOKONE_PRICES_FILE: settings.TOKONE_PRICES_FILE }),
  });
  const output = await runCommand('init', {
    DATABASE_URL: databases.accountDatabaseUrl,
    TOKONE_KEY_PEPPER: secrets.pepper.toString('base64url'),
    TOKONE_SEALING_KEY: secrets.sealingKey.toString('base64url'),
    TOKONE_KEY_PREFIX: settings.TOKONE_KEY_PREFIX,
    LOG_LEVEL: settings.LOG_LEVEL,
    ...variablesForNode(settings),
    ...Object.fromEntries(targets.flatMap(({ platform, baseUrl, credential }) => [
      [`TOKONE_${platform.toUpperCase()}_UPSTREAM_URL`, baseUrl],
      [`${platform.toUpperCase()}_API_KEY`, credential],
    ])),
    ...Object.fromEntries([...known].map(([platform, key]) => [`TOKONE_${platform.toUpperCase()}_KEY`, key])),
  });
  const keys = readQuickstartKeys(output);
  const created = [...keys].some(([platform, key]) => known.get(platform) !== key);
  return { databases, keys, created };
}

/** The same database by the role of one service. Roles belong to the whole server, so their names say which database. */
function roleUrl(ownerUrl: string, service: 'account' | 'billing', password: string): string {
  const url = new URL(ownerUrl);
  const database = decodeURIComponent(url.pathname.slice(1));
  // The longest name that PostgreSQL keeps apart has 63 bytes.
  const plain = `${database}_${service}`;
  const role = plain.length <= 60 ? plain : `tokone_${createHash('sha256').update(database).digest('hex').slice(0, 24)}_${service}`;
  url.username = encodeURIComponent(role);
  url.password = encodeURIComponent(password);
  return url.href;
}
