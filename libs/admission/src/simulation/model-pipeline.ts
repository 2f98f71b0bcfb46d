import type { AdmissionPosting } from '../admission.js';

/** A request that its gateway closed, as it goes through the two logs. */
export interface ClosedRequest {
  id: string;
  accountId: string;
  chargeNanoUsd: bigint;
}

interface Wallet {
  seq: bigint;
  balanceNanoUsd: bigint;
}

/**
 * From a shipped record to the ledger, in two hops: usage log → billing → outbox → charge log → ledger. Both logs may
 * hold a record twice. Wallets have no last wall here: it would hide what admission let through.
 */
export class ModelPipeline {
  readonly usage: ClosedRequest[] = [];
  readonly charges: ClosedRequest[] = [];
  readonly posted = new Set<string>();
  readonly wallets = new Map<string, Wallet>();
  rated = 0;
  published = 0;
  settledCharges = 0;
  worstNanoUsd = 0n;
  private readonly outbox: ClosedRequest[] = [];
  private readonly known = new Set<string>();

  /** How many rows billing's outbox ever had. */
  get outboxEnd(): number {
    return this.outbox.length;
  }

  get atRest(): boolean {
    return this.rated === this.usage.length && this.published === this.outbox.length && this.settledCharges === this.charges.length;
  }

  /** Billing: dedup by id, the row and the cursor in one step. */
  rate(most: number): void {
    for (const record of this.usage.slice(this.rated, this.rated + most)) {
      this.rated++;
      if (this.known.has(record.id)) continue;
      this.known.add(record.id);
      this.outbox.push(record);
    }
  }

  /** One row of the outbox to the charge log; its acknowledgement may be lost, and it comes again. */
  publish(acknowledged: boolean): void {
    const row = this.outbox[this.published];
    if (row === undefined) return;
    this.charges.push(row);
    if (acknowledged) this.published++;
  }

  /** The ledger: dedup for ever, one posting per account of the batch. */
  post(most: number): AdmissionPosting[] {
    const batch = this.charges.slice(this.settledCharges, this.settledCharges + most);
    this.settledCharges += batch.length;
    const postings = new Map<string, { totalNanoUsd: bigint; ids: string[] }>();
    for (const { id, accountId, chargeNanoUsd } of batch) {
      if (this.posted.has(id)) continue;
      this.posted.add(id);
      const posting = postings.get(accountId) ?? { totalNanoUsd: 0n, ids: [] };
      posting.totalNanoUsd += chargeNanoUsd;
      posting.ids.push(id);
      postings.set(accountId, posting);
    }
    return Array.from(postings, ([accountId, { totalNanoUsd, ids }]) => this.change(accountId, -totalNanoUsd, ids));
  }

  /** A posting or a top-up. */
  change(accountId: string, byNanoUsd: bigint, ids: readonly string[]): AdmissionPosting {
    const wallet = this.walletOf(accountId);
    wallet.seq++;
    wallet.balanceNanoUsd += byNanoUsd;
    if (wallet.balanceNanoUsd < this.worstNanoUsd) this.worstNanoUsd = wallet.balanceNanoUsd;
    return { accountId, requestIds: ids, ...wallet };
  }

  walletOf(accountId: string): Wallet {
    let wallet = this.wallets.get(accountId);
    if (wallet === undefined) this.wallets.set(accountId, (wallet = { seq: 1n, balanceNanoUsd: 0n }));
    return wallet;
  }

  /** Whether a record is somewhere between a gateway's acknowledged spool and the ledger. */
  carries(id: string): boolean {
    const waits = ({ id: other }: ClosedRequest): boolean => other === id;
    return this.usage.slice(this.rated).some(waits) || this.outbox.slice(this.published).some(waits) || this.charges.slice(this.settledCharges).some(waits);
  }
}
