import { setTimeout as pause } from 'node:timers/promises';
import { MOST_LIMIT_NANO_USD } from '@tokone/admission';
import type { AdmissionAudit, AuditedAccount } from '@tokone/admission';
import type { Pool } from '@tokone/persistence';
import type { Findings } from './check-report.js';

export interface AdmissionComparisonParts {
  pool: Pool;
  audit: AdmissionAudit;
  /** Between two looks; default 5 s, within which every push arrives or is repeated. */
  secondLookMs?: number;
  /** Ends the wait between two looks. */
  stop?: AbortSignal;
}

const SECOND_LOOK_MS = 5_000;
/** A settled request whose posting is older than this was told to admission, or told again. */
const SETTLED_MS = 60_000;
const MOST_DOUBTS = 10_000;
const IDS_PER_STATEMENT = 10_000;

interface Doubt {
  subject: string;
  detail: string;
  /** Of an account that is behind the ledger: where the ledger was at the first look. */
  behindSeq?: bigint;
}

interface Look {
  /** By kind and subject. */
  doubts: Map<string, Doubt>;
  /** Why not all accounts were looked at. */
  failure?: unknown;
}

interface Wallet {
  seq: bigint;
  balance: bigint;
}

/**
 * R4. Two looks at all of admission: what differs in both of them is a mismatch. What is on its way between them is
 * none: an account that was behind the ledger has come to where the ledger was then.
 * @throws behind all findings, when some accounts could not be looked at.
 */
export async function checkAdmission(parts: AdmissionComparisonParts, findings: Findings): Promise<void> {
  const first = await look(parts);
  if (first.doubts.size > 0) {
    await pause(parts.secondLookMs ?? SECOND_LOOK_MS, undefined, parts.stop === undefined ? {} : { signal: parts.stop });
    const second = await look(parts, first.doubts);
    for (const { subject, detail } of second.doubts.values()) findings.add(subject, detail);
    if (second.failure !== undefined) throw second.failure;
  }
  if (first.failure !== undefined) throw first.failure;
}

/** One account that cannot be read does not hide what is wrong with the others. */
async function look(parts: AdmissionComparisonParts, earlier?: ReadonlyMap<string, Doubt>): Promise<Look> {
  const doubts = new Map<string, Doubt>();
  try {
    await collectDoubts(parts, doubts, earlier);
    return { doubts };
  } catch (failure) {
    return { doubts, failure };
  }
}

/** With an earlier look: only what that had, too. */
async function collectDoubts({ pool, audit }: AdmissionComparisonParts, doubts: Map<string, Doubt>, earlier: ReadonlyMap<string, Doubt> | undefined): Promise<void> {
  for await (const accounts of audit.pages()) {
    if (accounts.length === 0) continue;
    const wallets = await readWallets(pool, accounts);
    const settled = accounts.flatMap(({ records }) => records.filter(({ state, ageMs }) => state === 'settled' && ageMs > SETTLED_MS).map(({ requestId }) => requestId));
    const posted = await findPosted(pool, settled);
    for (const account of accounts) {
      for (const [kind, doubt] of doubtsOf(account, wallets.get(account.accountId), posted)) {
        if (doubts.size >= MOST_DOUBTS) return;
        const known = earlier?.get(kind);
        if (earlier !== undefined && (known === undefined || hasCaughtUp(account, known))) continue;
        doubts.set(kind, doubt);
      }
    }
  }
}

function hasCaughtUp({ seq }: AuditedAccount, { behindSeq }: Doubt): boolean {
  return behindSeq !== undefined && seq >= behindSeq;
}

function* doubtsOf(account: AuditedAccount, wallet: Wallet | undefined, posted: ReadonlySet<string>): Generator<[string, Doubt]> {
  const { accountId, seq, limitNanoUsd, heldNanoUsd, settledNanoUsd, records } = account;
  const doubt = (kind: string, detail: string, behindSeq?: bigint): [string, Doubt] => [`${kind} ${accountId}`, { subject: `account ${accountId}`, detail, ...(behindSeq !== undefined && { behindSeq }) }];
  if (wallet === undefined) yield doubt('wallet', 'admission has it, and the ledger has no wallet of it');
  else if (seq > wallet.seq) yield doubt('ahead', `admission is at sequence ${seq}, the ledger at ${wallet.seq}`);
  else if (seq < wallet.seq) yield doubt('behind', `admission is at sequence ${seq}, the ledger at ${wallet.seq}`, wallet.seq);
  else if (limitNanoUsd !== wallet.balance && !isCapped(limitNanoUsd, wallet.balance)) yield doubt('limit', `at sequence ${seq} admission has a balance of ${limitNanoUsd}, the ledger of ${wallet.balance}`);
  const sums = { held: 0n, settled: 0n };
  for (const { state, amountNanoUsd } of records) sums[state] += amountNanoUsd;
  if (sums.held !== heldNanoUsd) yield doubt('held', `its holds sum to ${sums.held}, and count as ${heldNanoUsd}`);
  if (sums.settled !== settledNanoUsd) yield doubt('settled', `its settled requests sum to ${sums.settled}, and count as ${settledNanoUsd}`);
  for (const { requestId, state, ageMs, leaseMs } of records) {
    if (state === 'settled' && posted.has(requestId)) yield [`posted ${requestId}`, { subject: requestId, detail: `it is posted, and settled in admission for ${Math.round(ageMs / 1000)} s` }];
    if (state === 'held' && leaseMs !== undefined && ageMs > leaseMs) yield [`lease ${requestId}`, { subject: requestId, detail: `its hold is ${Math.round(ageMs / 1000)} s old, its lease was ${Math.round(leaseMs / 1000)} s` }];
  }
}

/** Redis counts exactly up to 2^53: of a larger balance it has the largest that it can have. */
function isCapped(limitNanoUsd: bigint, balanceNanoUsd: bigint): boolean {
  return limitNanoUsd === MOST_LIMIT_NANO_USD && balanceNanoUsd > MOST_LIMIT_NANO_USD;
}

/** After admission was read: the ledger is never older than what is compared with it. */
async function readWallets(pool: Pool, accounts: readonly AuditedAccount[]): Promise<Map<string, Wallet>> {
  const { rows } = await pool.query<Wallet & { account_id: string }>(`SELECT account_id, seq, balance FROM account.ledger_accounts WHERE kind = 'wallet' AND account_id = ANY($1::uuid[])`, [accounts.map(({ accountId }) => accountId)]);
  return new Map(rows.map(({ account_id: accountId, seq, balance }) => [accountId, { seq, balance }]));
}

async function findPosted(pool: Pool, ids: readonly string[]): Promise<Set<string>> {
  const found = new Set<string>();
  for (let start = 0; start < ids.length; start += IDS_PER_STATEMENT) {
    const part = ids.slice(start, start + IDS_PER_STATEMENT);
    const { rows } = await pool.query<{ id: string }>('SELECT id FROM account.transfers WHERE id = ANY($1::uuid[]) UNION ALL SELECT id FROM account.zero_charges WHERE id = ANY($1::uuid[])', [part]);
    for (const { id } of rows) found.add(id);
  }
  return found;
}
