import type { DataSource } from 'typeorm';
import { EntryEntity, LedgerAccountEntity, TransferEntity } from './entities/ledger.entity.js';
import type { LedgerKind, TransferKind } from './ledger.js';

/** A transfer with all its legs, as it stands in the ledger. Amounts are nano-USD. */
export interface ExplainedTransfer {
  id: string;
  kind: TransferKind;
  accountId: string;
  amountNanoUsd: bigint;
  /** Of a charge: the most that the wallet had to pay. */
  grantedNanoUsd: bigint | null;
  memo: string | null;
  createdAt: Date;
  entries: ExplainedEntry[];
}

export interface ExplainedEntry {
  kind: LedgerKind;
  seq: bigint;
  amountNanoUsd: bigint;
  balanceAfterNanoUsd: bigint;
}

/** Reads of the ledger that explain a charge or a top-up. */
export class Transfers {
  constructor(private readonly database: DataSource) {}

  async find(id: string): Promise<ExplainedTransfer | undefined> {
    const transfer = await this.database.getRepository(TransferEntity).findOneBy({ id });
    if (transfer === null) return undefined;
    const entries = await this.database
      .createQueryBuilder(EntryEntity, 'entry')
      .innerJoin(LedgerAccountEntity, 'owner', 'owner.id = entry.ledger_account_id')
      .select(['owner.kind AS kind', 'entry.seq AS seq', 'entry.amount AS "amountNanoUsd"'])
      .addSelect('entry.balance_after', 'balanceAfterNanoUsd')
      .where('entry.transfer_id = :id', { id })
      .orderBy('entry.leg')
      .getRawMany<ExplainedEntry>();
    const { kind, accountId, amount, granted, memo, createdAt } = transfer;
    return { id, kind, accountId, amountNanoUsd: amount, grantedNanoUsd: granted, memo, createdAt, entries };
  }
}
