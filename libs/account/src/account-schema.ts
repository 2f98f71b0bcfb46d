import { checkMigrated } from '@tokone/persistence';
import type { Pool } from '@tokone/persistence';
import { AccountEntity, AccountMultiplierEntity, KeyEntity } from './entities/account.entity.js';
import { GroupEntity, GroupUpstreamEntity, UpstreamEntity } from './entities/group.entity.js';
import { AuditEntity, EntryEntity, LedgerAccountEntity, TransferEntity } from './entities/ledger.entity.js';
import { UserEntity } from './entities/user.entity.js';
import { Accounts1700000000001 } from './migrations/0001-accounts.js';
import { Ledger1700000000002 } from './migrations/0002-ledger.js';
import { Changes1700000000003 } from './migrations/0003-changes.js';
import { Gateways1700000000004 } from './migrations/0004-gateways.js';
import { ChargeCursors1700000000005 } from './migrations/0005-charge-cursors.js';
import { Reconciliation1700000000006 } from './migrations/0006-reconciliation.js';
import { FirstOpenings1700000000007 } from './migrations/0007-first-openings.js';
import { Limits1700000000008 } from './migrations/0008-limits.js';

/** What a main hands to `openDatabase` for this feature. */
export const ACCOUNT_SCHEMA = {
  schema: 'account',
  entities: [
    AccountEntity,
    AccountMultiplierEntity,
    KeyEntity,
    UserEntity,
    GroupEntity,
    UpstreamEntity,
    GroupUpstreamEntity,
    LedgerAccountEntity,
    TransferEntity,
    EntryEntity,
    AuditEntity,
  ],
  migrations: [
    Accounts1700000000001,
    Ledger1700000000002,
    Changes1700000000003,
    Gateways1700000000004,
    ChargeCursors1700000000005,
    Reconciliation1700000000006,
    FirstOpenings1700000000007,
    Limits1700000000008,
  ],
};

/** @throws StartupError when the tables are not those of this version: a service does not make them itself. */
export async function checkAccountTables(pool: Pool): Promise<void> {
  await checkMigrated(pool, 'account', ACCOUNT_SCHEMA.migrations.map(({ name }) => name));
}
