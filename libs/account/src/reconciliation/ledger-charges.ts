import { ROWS_PER_PAGE } from '@tokone/billing-client';
import type { ChargeSums, RatedFact } from '@tokone/billing-client';
import type { Pool } from '@tokone/persistence';
import type { IdRange } from '@tokone/protocol';
import type { Mismatch } from './check-report.js';

/** The ledger's side of R3. Ranges reach to `endOf` them at most, so that each statement is bounded. */
export class LedgerCharges {
  constructor(private readonly pool: Pool) {}

  /** The id at which a range holds a page of transfers; undefined when it holds less. */
  async endOf({ after, upTo }: IdRange): Promise<string | undefined> {
    const { rows } = await this.pool.query<{ id: string }>(`SELECT id FROM account.transfers WHERE id > $1 AND id <= $2 ORDER BY id OFFSET ${ROWS_PER_PAGE - 1} LIMIT 1`, [after, upTo]);
    return rows[0]?.id;
  }

  /** The charges of a range, as billing's sums of them; and how many of its transfers are not balanced. */
  async sums({ after, upTo }: IdRange): Promise<ChargeSums & { faults: number }> {
    const { rows } = await this.pool.query<SumsRow>(SUMS, [after, upTo]);
    const sums = rows[0];
    if (sums === undefined) throw new Error('an aggregate has one row');
    const { count, rated, charge, fingerprint, faults } = sums;
    return { count, ratedNanoUsd: BigInt(rated), chargeNanoUsd: BigInt(charge), fingerprint: fingerprint ?? '', faults };
  }

  /** The transfers of a range, of every kind, whose entries are not what they should be. */
  async faults({ after, upTo }: IdRange): Promise<Mismatch[]> {
    return (await this.pool.query<Mismatch>(FAULTS, [after, upTo])).rows;
  }

  async faultsOf(ids: readonly string[]): Promise<Mismatch[]> {
    return (await this.pool.query<Mismatch>(FAULTS_OF, [ids])).rows;
  }

  /** Entries of a range whose transfer does not exist. */
  async orphans({ after, upTo }: IdRange): Promise<Mismatch[]> {
    return (await this.pool.query<Mismatch>(ORPHANS, [after, upTo])).rows;
  }

  async charges({ after, upTo }: IdRange): Promise<RatedFact[]> {
    const { rows } = await this.pool.query<FactRow>(`${FACTS} AND id > $1 AND id <= $2 ORDER BY id LIMIT ${2 * ROWS_PER_PAGE}`, [after, upTo]);
    return rows.map(readFact);
  }

  async chargesOf(ids: readonly string[]): Promise<RatedFact[]> {
    return (await this.pool.query<FactRow>(`${FACTS} AND id = ANY($1::uuid[])`, [ids])).rows.map(readFact);
  }

  /** Charges of 0 that are noted as done, behind an id, `limit` at most. */
  async zeroCharges({ after, upTo }: IdRange, limit: number): Promise<{ id: string; accountId: string }[]> {
    const { rows } = await this.pool.query<{ id: string; accountId: string }>('SELECT id, account_id AS "accountId" FROM account.zero_charges WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3', [after, upTo, limit]);
    return rows;
  }

  /** Why charges could not be posted, of those that are kept apart. */
  async deadReasons(ids: readonly string[]): Promise<Map<string, string>> {
    const { rows } = await this.pool.query<{ id: string; reason: string }>('SELECT charge_id AS id, reason FROM account.dead_charges WHERE charge_id = ANY($1::uuid[])', [ids]);
    return new Map(rows.map(({ id, reason }) => [id, reason]));
  }
}

interface SumsRow {
  count: number;
  rated: string;
  charge: string;
  fingerprint: string | null;
  faults: number;
}

interface FactRow {
  id: string;
  account_id: string;
  amount: bigint;
  granted: bigint;
}

function readFact({ id, account_id: accountId, amount, granted }: FactRow): RatedFact {
  return { id, accountId, ratedNanoUsd: amount, chargeNanoUsd: granted };
}

const FACTS = `SELECT id, account_id, amount, granted FROM account.transfers WHERE kind = 'charge'`;

/**
 * A charge: revenue receives what was rated, the wallet of its account pays at most the grant, and less only when it is
 * empty then; the write-off has the rest. Every transfer: its legs sum to 0 and move its amount.
 */
const judged = (which: string): string => `
  WITH page AS MATERIALIZED (
    SELECT id, kind, account_id, amount, granted FROM account.transfers WHERE ${which} ORDER BY id LIMIT ${2 * ROWS_PER_PAGE}
  ), legs AS (
    SELECT e.transfer_id, sum(e.amount) AS total, coalesce(sum(e.amount) FILTER (WHERE e.amount > 0), 0) AS moved,
      coalesce(sum(e.amount) FILTER (WHERE l.kind = 'revenue'), 0) AS revenue, -coalesce(sum(e.amount) FILTER (WHERE l.kind = 'wallet'), 0) AS paid,
      coalesce(bool_or(e.balance_after > 0) FILTER (WHERE l.kind = 'wallet'), false) AS had_more, bool_or(l.id IS NULL) AS homeless,
      coalesce(bool_or(l.account_id <> p.account_id) FILTER (WHERE l.kind = 'wallet'), false) AS foreign_wallet
    FROM page p JOIN account.entries e ON e.transfer_id = p.id LEFT JOIN account.ledger_accounts l ON l.id = e.ledger_account_id GROUP BY e.transfer_id
  ), judged AS (
    SELECT p.*, CASE
      WHEN l.transfer_id IS NULL THEN 'it has no entries'
      WHEN l.homeless THEN 'an entry belongs to no ledger account'
      WHEN l.total <> 0 THEN 'its legs sum to ' || l.total
      WHEN l.moved <> p.amount THEN 'its legs move ' || l.moved || ' instead of ' || p.amount
      WHEN l.foreign_wallet THEN 'the wallet of another account pays it'
      WHEN p.kind <> 'charge' THEN NULL
      WHEN l.revenue <> p.amount THEN 'revenue receives ' || l.revenue || ' of ' || p.amount
      WHEN l.paid NOT BETWEEN 0 AND p.granted THEN 'the wallet paid ' || l.paid || ' of a grant of ' || p.granted
      WHEN l.paid < p.granted AND l.had_more THEN 'the wallet paid ' || l.paid || ' of a grant of ' || p.granted || ', and held more'
    END AS fault
    FROM page p LEFT JOIN legs l ON l.transfer_id = p.id
  )`;

const IN_RANGE = judged('id > $1 AND id <= $2');

/** The fingerprint is the one of billing's page. */
const SUMS = `${IN_RANGE}
  SELECT count(*) FILTER (WHERE kind = 'charge')::int AS count, coalesce(sum(amount) FILTER (WHERE kind = 'charge'), 0)::text AS rated,
    coalesce(sum(granted), 0)::text AS charge, count(*) FILTER (WHERE fault IS NOT NULL)::int AS faults,
    bit_xor(('x' || md5(id || '/' || account_id || '/' || amount || '/' || granted))::bit(128)) FILTER (WHERE kind = 'charge')::text AS fingerprint
  FROM judged`;

const FAULTY = 'SELECT id AS subject, fault AS detail FROM judged WHERE fault IS NOT NULL ORDER BY id LIMIT 1000';
const FAULTS = `${IN_RANGE} ${FAULTY}`;
const FAULTS_OF = `${judged('id = ANY($1::uuid[])')} ${FAULTY}`;

const ORPHANS = `
  SELECT DISTINCT e.transfer_id::text AS subject, 'it has entries, and is no transfer' AS detail FROM account.entries e
  WHERE e.transfer_id > $1 AND e.transfer_id <= $2 AND NOT EXISTS (SELECT 1 FROM account.transfers t WHERE t.id = e.transfer_id) LIMIT 1000`;
