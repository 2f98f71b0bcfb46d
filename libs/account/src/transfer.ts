import type { PoolClient } from '@tokone/persistence';
import { AccountError, notFound } from './account-error.js';
import { assertBalanced, contentHash } from './ledger.js';
import type { Leg, TransferKind } from './ledger.js';

/** A transfer other than a charge: one at a time, made by a person or a payment. */
export interface TransferDraft {
  /** Idempotency id, a UUID. */
  id: string;
  kind: Exclude<TransferKind, 'charge'>;
  accountId: string;
  /** Nano-USD > 0. */
  amountNanoUsd: bigint;
  memo: string | undefined;
  legs: readonly Leg[];
}

export interface TransferReceipt {
  transferId: string;
  /** Of the wallet, right after this transfer. */
  seq: bigint;
  balanceNanoUsd: bigint;
  /** False when the id had been posted before, with the same content. */
  isNew: boolean;
}

/**
 * Posts a transfer once. The same id again with the same content gives the first receipt.
 * @throws AccountError `not_found` for an unknown account, `conflict` for an id that was used for something else.
 */
export async function postTransfer(client: PoolClient, draft: TransferDraft): Promise<TransferReceipt> {
  assertBalanced(draft.legs);
  const hash = contentHash(draft.kind, [draft.accountId.toLowerCase(), draft.amountNanoUsd, draft.memo ?? '']);
  // Id first, ledger rows second: the order of the posting statement.
  const { rowCount } = await client.query(
    `INSERT INTO account.transfers (id, kind, account_id, amount, hash, memo)
     SELECT $1, $2, a.id, $4, $5, $6 FROM account.accounts a WHERE a.id = $3
     ON CONFLICT (id) DO NOTHING`,
    [draft.id, draft.kind, draft.accountId, draft.amountNanoUsd, hash, draft.memo ?? null],
  );
  if (rowCount === 0) return repeatedReceipt(client, draft, hash);
  const receipt = await writeLegs(client, draft);
  return { ...receipt, transferId: draft.id, isNew: true };
}

async function repeatedReceipt(client: PoolClient, draft: TransferDraft, hash: Buffer): Promise<TransferReceipt> {
  const { rows } = await client.query<{ hash: Buffer; seq: bigint; balance: bigint }>(
    `SELECT t.hash, e.seq, e.balance_after AS balance FROM account.transfers t
     LEFT JOIN account.ledger_accounts l ON l.kind = 'wallet' AND l.account_id = t.account_id
     LEFT JOIN account.entries e ON e.transfer_id = t.id AND e.ledger_account_id = l.id
     WHERE t.id = $1`,
    [draft.id],
  );
  const [first] = rows;
  if (first === undefined) throw notFound('account', draft.accountId);
  if (!first.hash.equals(hash)) {
    throw new AccountError('conflict', `The id ${draft.id} was used for another transfer: take a new id.`);
  }
  return { transferId: draft.id, seq: first.seq, balanceNanoUsd: first.balance, isNew: false };
}

async function writeLegs(client: PoolClient, draft: TransferDraft): Promise<{ seq: bigint; balanceNanoUsd: bigint }> {
  const kinds = draft.legs.map((leg) => leg.kind);
  const { rows } = await client.query<{ id: bigint; kind: string; balance: bigint; seq: bigint }>(
    `SELECT id, kind, balance, seq FROM account.ledger_accounts
     WHERE kind = ANY ($1::text[]) AND shard = 0 AND (kind <> 'wallet' OR account_id = $2)
     ORDER BY id FOR UPDATE`,
    [kinds, draft.accountId],
  );
  let receipt: { seq: bigint; balanceNanoUsd: bigint } | undefined;
  for (const [index, leg] of draft.legs.entries()) {
    const row = rows.find(({ kind }) => kind === leg.kind);
    if (row === undefined) throw new Error(`account ${draft.accountId} has no ledger account of kind ${leg.kind}`);
    const seq = row.seq + 1n;
    const balanceNanoUsd = row.balance + leg.amountNanoUsd;
    await client.query('UPDATE account.ledger_accounts SET balance = $2, seq = $3 WHERE id = $1', [row.id, balanceNanoUsd, seq]);
    await client.query(
      `INSERT INTO account.entries (transfer_id, leg, ledger_account_id, seq, amount, balance_after)
       VALUES ($1, $2, $3, $4, $5, $6)`,
      [draft.id, index + 1, row.id, seq, leg.amountNanoUsd, balanceNanoUsd],
    );
    if (leg.kind === 'wallet') receipt = { seq, balanceNanoUsd };
  }
  if (receipt === undefined) throw new Error('a transfer of an account has a wallet leg');
  return receipt;
}
