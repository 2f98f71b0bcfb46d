import type { Pool } from '@tokone/persistence';
import type { DataSource } from 'typeorm';
import type { Uuid7Source } from '@tokone/protocol';
import { noAccountMetrics } from '@tokone/telemetry';
import type { AccountMetrics } from '@tokone/telemetry';
import type { RaiseAlarm } from './account-alarm.js';
import { LocalAccountDirectory } from './account-directory.js';
import { Accounts } from './accounts.js';
import { LocalBalanceSource } from './balance-source.js';
import { CredentialSeal } from './credential-seal.js';
import { Deployment } from './deployment.js';
import { Groups } from './groups.js';
import { KeyIssuer, Keys } from './keys.js';
import { Limits } from './limits.js';
import { Transfers } from './transfers.js';
import { countNegativeWallets } from './negative-wallets.js';
import { LocalUpstreamDirectory } from './upstream-directory.js';
import { Users } from './users.js';

export interface AccountFeatureParts {
  /** Opened with `ACCOUNT_SCHEMA`, migrated. For management. Not closed here. */
  database: DataSource;
  /** For keys, upstreams and postings. Not closed here. */
  pool: Pool;
  /** At least 32 bytes, outside the database: losing it makes every key useless. */
  pepper: Buffer;
  /** 32 bytes, outside the database: losing it makes every stored credential unreadable. */
  sealingKey: Buffer;
  /** `sk-` unless the deployer says otherwise. */
  keyPrefix: string;
  ids: Uuid7Source;
  raiseAlarm: RaiseAlarm;
  /** Default: nobody counts. */
  metrics?: AccountMetrics;
}

/** Everything of accounts that neither needs admission nor the log: may be built, and asked, before they exist. */
export class AccountFeature {
  readonly directory: LocalAccountDirectory;
  readonly upstreams: LocalUpstreamDirectory;
  readonly balances: LocalBalanceSource;
  readonly accounts: Accounts;
  readonly keys: Keys;
  readonly groups: Groups;
  readonly users: Users;
  readonly limits: Limits;
  readonly transfers: Transfers;
  readonly deployment: Deployment;
  readonly metrics: AccountMetrics;

  constructor(readonly parts: AccountFeatureParts) {
    const { database, pool, pepper, sealingKey, keyPrefix: prefix, ids } = parts;
    const seal = new CredentialSeal(sealingKey);
    const issuer = new KeyIssuer({ pepper, prefix, ids });
    this.metrics = parts.metrics ?? noAccountMetrics;
    this.metrics.watch({ negativeWallets: () => countNegativeWallets(pool) });
    this.directory = new LocalAccountDirectory(pool, this.metrics);
    this.upstreams = new LocalUpstreamDirectory(pool, seal);
    this.balances = new LocalBalanceSource(pool);
    this.accounts = new Accounts(database, pool, ids);
    this.keys = new Keys(database, pool, issuer);
    this.groups = new Groups(database);
    this.users = new Users(database, pool, ids);
    this.limits = new Limits(pool);
    this.transfers = new Transfers(database);
    this.deployment = new Deployment({ pool, seal, issuer, ids });
  }
}
