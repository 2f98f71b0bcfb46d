import { Column, Entity, PrimaryColumn, PrimaryGeneratedColumn } from 'typeorm';
import type { LedgerKind, TransferKind } from '../ledger.js';

/** Amounts are nano-USD. `seq` is the number of its entries, `balance` their sum. */
@Entity('ledger_accounts')
export class LedgerAccountEntity {
  @PrimaryGeneratedColumn('identity', { type: 'bigint' }) id: bigint;
  @Column('text') kind: LedgerKind;
  @Column('uuid', { name: 'account_id', nullable: true }) accountId: string | null;
  @Column('smallint') shard: number;
  @Column('bigint') balance: bigint;
  @Column('bigint') seq: bigint;
}

/** `id` is the event id of a charge, or the idempotency id of any other transfer. */
@Entity('transfers')
export class TransferEntity {
  @PrimaryColumn('uuid') id: string;
  @Column('text') kind: TransferKind;
  @Column('uuid', { name: 'account_id' }) accountId: string;
  @Column('bigint') amount: bigint;
  @Column('bigint', { nullable: true }) granted: bigint | null;
  @Column('bytea') hash: Buffer;
  @Column('text', { nullable: true }) memo: string | null;
  @Column('timestamptz', { name: 'created_at' }) createdAt: Date;
}

@Entity('entries')
export class EntryEntity {
  @PrimaryColumn('uuid', { name: 'transfer_id' }) transferId: string;
  @PrimaryColumn('smallint') leg: number;
  @Column('bigint', { name: 'ledger_account_id' }) ledgerAccountId: bigint;
  @Column('bigint') seq: bigint;
  @Column('bigint') amount: bigint;
  @Column('bigint', { name: 'balance_after' }) balanceAfter: bigint;
}

/** Who changed what. `before` and `after` are summaries and never hold a key or a credential. */
@Entity('audit_log')
export class AuditEntity {
  @PrimaryGeneratedColumn('identity', { type: 'bigint' }) id: bigint;
  @Column('timestamptz') at: Date;
  @Column('text') actor: string;
  @Column('text') action: string;
  @Column('text') subject: string;
  @Column('jsonb', { nullable: true }) before: unknown;
  @Column('jsonb', { nullable: true }) after: unknown;
}
