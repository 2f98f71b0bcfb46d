import type { RatedCharge } from '@tokone/events';
import type { Pool } from '@tokone/persistence';
import { noAccountMetrics } from '@tokone/telemetry';
import type { AccountMetrics } from '@tokone/telemetry';
import type { DeadChargeReason, RaiseAlarm } from './account-alarm.js';
import { chargeHash, isPostable, shardOf } from './ledger.js';
import { POSTING_STATEMENT } from './posting-statement.js';

/** What admission must be told of one account after a batch. */
export interface PostedAccount {
  accountId: string;
  /** Number of the wallet's entries, and its balance after them. */
  seq: bigint;
  balanceNanoUsd: bigint;
  /** Charges of the batch that are done: posted now, posted before, or of amount 0. */
  chargeIds: string[];
}

export interface PostingResult {
  accounts: PostedAccount[];
  /** How many charges this call posted, those of amount 0 included. */
  newCharges: number;
}

interface HashedCharge extends RatedCharge {
  hash: Buffer;
}

interface PostedRow {
  position: bigint;
  known: boolean;
  new: boolean;
  debit: bigint | null;
  balance: bigint | null;
  seq: bigint | null;
}

/** Most charges in one statement: locks are held for about 20 ms then. */
const LARGEST_STATEMENT = 1_000;

/**
 * Posts rated charges to the ledger, each id once for ever. The wallet pays min(charge, what it holds), the
 * deployment's write-off account bears the rest of what was rated, revenue receives it.
 */
export class ChargePosting {
  constructor(
    private readonly pool: Pool,
    private readonly raiseAlarm: RaiseAlarm,
    private readonly metrics: AccountMetrics = noAccountMetrics,
  ) {}

  /**
   * At least once: after an error any prefix of the batch may be posted, and repeating the whole is right. A charge
   * that cannot be posted is kept in `dead_charges` and does not hold up the others.
   */
  async post(charges: readonly RatedCharge[]): Promise<PostingResult> {
    const startedAtMs = performance.now();
    const accounts = new Map<string, PostedAccount>();
    let newCharges = 0;
    try {
      for (let start = 0; start < charges.length; start += LARGEST_STATEMENT) {
        newCharges += await this.postSlice(charges.slice(start, start + LARGEST_STATEMENT), accounts);
      }
    } finally {
      this.metrics.posting(performance.now() - startedAtMs);
    }
    return { accounts: [...accounts.values()], newCharges };
  }

  private async postSlice(charges: readonly RatedCharge[], accounts: Map<string, PostedAccount>): Promise<number> {
    const { unique, conflicting, malformed } = sortOut(charges);
    await this.bury(malformed, 'malformed');
    await this.bury(conflicting, 'conflict');
    if (unique.length === 0) return 0;
    const rows = await this.runStatement(unique);
    const unknown: HashedCharge[] = [];
    const repeated: HashedCharge[] = [];
    for (const row of rows) {
      const charge = unique[Number(row.position) - 1];
      if (charge === undefined) throw new Error('the posting statement answered for a charge that it was not given');
      if (!row.known || row.balance === null || row.seq === null) {
        unknown.push(charge);
        continue;
      }
      if (row.new) this.metrics.charged(row.debit ?? 0n, charge.ratedNanoUsd - (row.debit ?? 0n));
      else repeated.push(charge);
      this.checkLastWall(charge, row.debit);
      const account = accountOf(accounts, charge.accountId);
      account.seq = row.seq;
      account.balanceNanoUsd = row.balance;
      account.chargeIds.push(charge.id);
    }
    const posted = rows.filter((row) => row.new).length;
    this.metrics.posted('posted', posted);
    this.metrics.posted('repeated', charges.length - unique.length - conflicting.length - malformed.length + repeated.length);
    await this.bury(unknown, 'unknown_account');
    await this.compareRepeated(repeated, accounts);
    return posted;
  }

  private async runStatement(charges: readonly HashedCharge[]): Promise<PostedRow[]> {
    const first = charges[0];
    // Named, hence parsed and planned once for each connection: that takes as long as posting a small batch.
    const { rows } = await this.pool.query<PostedRow>({
      name: 'account.post-charges',
      text: POSTING_STATEMENT,
      values: [
        arrayLiteral(charges, (charge) => charge.id),
        arrayLiteral(charges, (charge) => charge.accountId),
        arrayLiteral(charges, (charge) => charge.ratedNanoUsd),
        arrayLiteral(charges, (charge) => charge.chargeNanoUsd),
        arrayLiteral(charges, (charge) => charge.hash.toString('hex')),
        first === undefined ? 0 : shardOf(first.hash),
      ],
    });
    return rows;
  }

  private checkLastWall(charge: RatedCharge, debit: bigint | null): void {
    if (debit === null || debit === charge.chargeNanoUsd) return;
    const shortNanoUsd = charge.chargeNanoUsd - debit;
    this.raiseAlarm({ kind: 'wallet_exhausted', chargeId: charge.id, accountId: charge.accountId, shortNanoUsd });
  }

  /**
   * An id that was posted before must have been posted with the same content. A second statement on purpose: the
   * first one's snapshot does not show what a batch at the same time has just committed.
   */
  private async compareRepeated(charges: readonly HashedCharge[], accounts: Map<string, PostedAccount>): Promise<void> {
    if (charges.length === 0) return;
    const { rows } = await this.pool.query<{ position: bigint; conflict: boolean; own: boolean }>(COMPARISON, [
      arrayLiteral(charges, (charge) => charge.id),
      arrayLiteral(charges, (charge) => charge.accountId),
      arrayLiteral(charges, (charge) => charge.hash.toString('hex')),
      arrayLiteral(charges, (charge) => charge.ratedNanoUsd),
    ]);
    const conflicting: HashedCharge[] = [];
    for (const { position, conflict, own } of rows) {
      const charge = charges[Number(position) - 1];
      if (charge === undefined) continue;
      if (conflict) conflicting.push(charge);
      const account = accounts.get(charge.accountId);
      if (!own && account) account.chargeIds = account.chargeIds.filter((id) => id !== charge.id);
    }
    await this.bury(conflicting, 'conflict');
  }

  /** Keeps charges that cannot be posted; the alarm is raised once, however often the batch comes again. */
  private async bury(charges: readonly HashedCharge[], reason: DeadChargeReason): Promise<void> {
    if (charges.length === 0) return;
    const { rows } = await this.pool.query<{ id: string; account_id: string }>(BURIAL, [
      arrayLiteral(charges, (charge) => charge.id),
      arrayLiteral(charges, (charge) => charge.accountId),
      arrayLiteral(charges, (charge) => charge.ratedNanoUsd),
      arrayLiteral(charges, (charge) => charge.chargeNanoUsd),
      arrayLiteral(charges, (charge) => charge.hash.toString('hex')),
      reason,
    ]);
    this.metrics.posted('dead', rows.length);
    for (const row of rows) this.raiseAlarm({ kind: 'dead_charge', chargeId: row.id, accountId: row.account_id, reason });
  }
}

/** The first charge of each id; later ones that differ are conflicts, later ones that do not are repetitions. */
function sortOut(charges: readonly RatedCharge[]): { unique: HashedCharge[]; conflicting: HashedCharge[]; malformed: HashedCharge[] } {
  const unique = new Map<string, HashedCharge>();
  const conflicting: HashedCharge[] = [];
  const malformed: HashedCharge[] = [];
  for (const charge of charges) {
    const hashed = { ...charge, id: charge.id.toLowerCase(), accountId: charge.accountId.toLowerCase(), hash: chargeHash(charge) };
    const earlier = unique.get(hashed.id);
    if (!isPostable(charge)) malformed.push(hashed);
    else if (earlier === undefined) unique.set(hashed.id, hashed);
    else if (!earlier.hash.equals(hashed.hash)) conflicting.push(hashed);
  }
  return { unique: [...unique.values()], conflicting, malformed };
}

function accountOf(accounts: Map<string, PostedAccount>, accountId: string): PostedAccount {
  let account = accounts.get(accountId);
  if (account === undefined) {
    account = { accountId, seq: 0n, balanceNanoUsd: 0n, chargeIds: [] };
    accounts.set(accountId, account);
  }
  return account;
}

/** An array parameter. Ids, numbers and hex need no quotes, and pg's own writer costs a third of the statement's time. */
function arrayLiteral<Item>(items: readonly Item[], value: (item: Item) => string | bigint): string {
  return `{${items.map(value).join(',')}}`;
}

const COMPARISON = `
SELECT a.position,
  CASE WHEN t.id IS NULL THEN a.rated > 0 ELSE t.hash <> decode(a.hash, 'hex') END AS conflict,
  coalesce(t.account_id, z.account_id) = a.account_id AS own
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[]) WITH ORDINALITY AS a (id, account_id, hash, rated, position)
LEFT JOIN account.transfers t ON t.id = a.id
LEFT JOIN account.zero_charges z ON z.id = a.id
WHERE t.id IS NOT NULL OR z.id IS NOT NULL`;

const BURIAL = `
INSERT INTO account.dead_charges (charge_id, account_id, rated, granted, hash, reason)
SELECT d.id, d.account_id, d.rated, d.granted, decode(d.hash, 'hex'), $6
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[]) AS d (id, account_id, rated, granted, hash)
ORDER BY d.id
ON CONFLICT (charge_id, hash, reason) DO NOTHING
RETURNING charge_id AS id, account_id`;
