import type { Pool } from '@tokone/persistence';
import type { Findings } from './check-report.js';

const PAGE_ACCOUNTS = 500;
/** Entries of one account in one statement, and of all accounts of a statement together. */
const STEP_ENTRIES = 5_000n;
const STATEMENT_ENTRIES = 20_000n;

/** A ledger account with the part of its chain that is known to be right. */
interface ChainHead {
  id: bigint;
  kind: string;
  seq: bigint;
  balance: bigint;
  /** Of the entry with the highest sequence. */
  last_seq: bigint;
  checked_seq: bigint;
  checked_balance: bigint;
}

interface StepRow {
  id: bigint;
  entries: bigint;
  first_seq: bigint | null;
  last_seq: bigint | null;
  total: string;
  broken_seq: bigint | null;
  broken: string | null;
}

/**
 * R2. Of every ledger account: its head, and the entries behind what an earlier run found right; full: all entries. An
 * entry is committed with the balance that it leads to and never changes, so a chain may be walked in steps of any time.
 * What is found right is noted, so that the next run begins there; an account with a mismatch is looked at from there again.
 */
export async function checkBalanceChains(pool: Pool, findings: Findings, full: boolean): Promise<void> {
  await checkOrphans(pool, findings);
  for (let after = 0n; ; ) {
    const { rows: heads } = await pool.query<ChainHead>(full ? HEADS_FROM_THE_FIRST : HEADS, [after.toString()]);
    const broken = await walkChains(pool, heads, findings);
    // Of a chain that is broken far behind, the next runs begin at the first entry, too, and find it again.
    if (full && broken.length > 0) await pool.query('DELETE FROM account.reconciled_balances WHERE ledger_account_id = ANY($1::bigint[])', [broken.map(String)]);
    const last = heads.at(-1);
    if (last === undefined || heads.length < PAGE_ACCOUNTS) return;
    after = last.id;
  }
}

/** Balances that were found right, and are of no account any more: accounts are never removed. */
async function checkOrphans(pool: Pool, findings: Findings): Promise<void> {
  const { rows } = await pool.query<{ id: bigint }>('SELECT r.ledger_account_id AS id FROM account.reconciled_balances r WHERE NOT EXISTS (SELECT 1 FROM account.ledger_accounts l WHERE l.id = r.ledger_account_id) LIMIT 1000');
  for (const { id } of rows) findings.add(`ledger account ${id}`, 'it is gone');
}

/** @returns the accounts whose chains are broken. */
async function walkChains(pool: Pool, heads: readonly ChainHead[], findings: Findings): Promise<bigint[]> {
  const allBroken: bigint[] = [];
  let open = heads.filter((head) => isSoundHead(head, findings));
  while (open.length > 0) {
    const step = takeStep(open);
    const { rows } = await pool.query<StepRow>(STEP, [step.map(({ id }) => `${id}`), step.map(({ checked_seq: seq }) => `${seq}`), step.map(({ checked_balance: balance }) => `${balance}`), step.map((head) => `${stepEnd(head)}`)]);
    const found = new Map(rows.map((row) => [row.id, row]));
    const right = step.filter((head) => advance(head, found.get(head.id), findings));
    if (right.length > 0) await pool.query(NOTE, [right.map(({ id }) => `${id}`), right.map(({ checked_seq: seq }) => `${seq}`), right.map(({ checked_balance: balance }) => `${balance}`)]);
    const broken = new Set(step.filter((head) => !right.includes(head)));
    allBroken.push(...[...broken].map(({ id }) => id));
    open = open.filter((head) => !broken.has(head) && head.checked_seq < head.seq);
  }
  return allBroken;
}

/** As many of them as one statement takes. */
function takeStep(open: readonly ChainHead[]): ChainHead[] {
  const step: ChainHead[] = [];
  let entries = 0n;
  for (const head of open) {
    step.push(head);
    entries += stepEnd(head) - head.checked_seq;
    if (entries >= STATEMENT_ENTRIES) break;
  }
  return step;
}

function stepEnd({ seq, checked_seq: from }: ChainHead): bigint {
  return seq - from > STEP_ENTRIES ? from + STEP_ENTRIES : seq;
}

function isSoundHead(head: ChainHead, findings: Findings): boolean {
  const name = nameOf(head);
  if (head.last_seq !== head.seq) findings.add(name, `its sequence is ${head.seq}, that of its last entry ${head.last_seq}`);
  else if (head.checked_seq > head.seq) findings.add(name, `its sequence is ${head.seq} and was ${head.checked_seq}`);
  else if (head.checked_seq === head.seq && head.checked_balance !== head.balance) findings.add(name, `its balance is ${head.balance}, its ${head.seq} entries sum to ${head.checked_balance}`);
  else return head.checked_seq < head.seq;
  return false;
}

/** Whether the step is right; then the head stands behind it. */
function advance(head: ChainHead, step: StepRow | undefined, findings: Findings): boolean {
  const [name, end] = [nameOf(head), stepEnd(head)];
  const expected = end - head.checked_seq;
  if (step === undefined || step.entries !== expected || step.first_seq !== head.checked_seq + 1n || step.last_seq !== end) {
    findings.add(name, `between its sequences ${head.checked_seq + 1n} and ${end} stand ${step?.entries ?? 0} entries instead of ${expected}`);
    return false;
  }
  if (step.broken_seq !== null) {
    findings.add(name, `the balance behind entry ${step.broken_seq} is ${step.broken}`);
    return false;
  }
  const total = head.checked_balance + BigInt(step.total);
  if (end === head.seq && total !== head.balance) {
    findings.add(name, `its balance is ${head.balance}, its ${head.seq} entries sum to ${total}`);
    return false;
  }
  head.checked_seq = end;
  head.checked_balance = total;
  return true;
}

function nameOf({ id, kind }: ChainHead): string {
  return `ledger account ${id} (${kind})`;
}

const heads = (checkedSeq: string, checkedBalance: string, join: string): string => `
  SELECT l.id, l.kind, l.seq, l.balance, coalesce((SELECT max(e.seq) FROM account.entries e WHERE e.ledger_account_id = l.id), 0) AS last_seq,
    ${checkedSeq} AS checked_seq, ${checkedBalance} AS checked_balance
  FROM account.ledger_accounts l ${join} WHERE l.id > $1 ORDER BY l.id LIMIT ${PAGE_ACCOUNTS}`;

const HEADS = heads('coalesce(r.seq, 0)', 'coalesce(r.balance, 0)', 'LEFT JOIN account.reconciled_balances r ON r.ledger_account_id = l.id');
const HEADS_FROM_THE_FIRST = heads('0::bigint', '0::bigint', '');

const STEP = `
  SELECT a.id, count(c.seq) AS entries, min(c.seq) AS first_seq, max(c.seq) AS last_seq, coalesce(sum(c.amount), 0)::text AS total,
    min(c.seq) FILTER (WHERE c.balance_after <> c.expected) AS broken_seq,
    (array_agg(c.balance_after || ' instead of ' || c.expected ORDER BY c.seq) FILTER (WHERE c.balance_after <> c.expected))[1] AS broken
  FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) AS a (id, from_seq, from_balance, to_seq)
  LEFT JOIN LATERAL (
    SELECT e.seq, e.amount, e.balance_after, a.from_balance + sum(e.amount) OVER (ORDER BY e.seq) AS expected
    FROM account.entries e WHERE e.ledger_account_id = a.id AND e.seq > a.from_seq AND e.seq <= a.to_seq
  ) c ON true
  GROUP BY a.id`;

/** A full run that is behind an incremental one of another replica takes nothing back that matters: both were right. */
const NOTE = `
  INSERT INTO account.reconciled_balances (ledger_account_id, seq, balance)
  SELECT n.id, n.seq, n.balance FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS n (id, seq, balance)
  ON CONFLICT (ledger_account_id) DO UPDATE SET seq = excluded.seq, balance = excluded.balance WHERE reconciled_balances.seq < excluded.seq`;
