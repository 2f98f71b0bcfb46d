import type { Waiver } from '@tokone/billing-client';
import { inTransaction } from '@tokone/persistence';
import type { Pool } from '@tokone/persistence';
import { AccountError, notFound } from './account-error.js';
import { writeAudit } from './audit.js';

/** Billing's part of a charge. */
export interface BilledCharges {
  /** Usage, price and lines, as JSON; undefined when billing does not know the request. */
  explain(requestId: string): Promise<object | undefined>;
  /** Lets a parked request cost nothing. May be repeated. */
  waive(requestId: string, reason: { by: string; why: string }): Promise<Waiver>;
}

/**
 * What an operator decides of charges that billing cannot rate. Who and why stand in billing's own record of it, which
 * commits with the waiver; the audit line follows, so that it may lack when a process dies in between, until it is repeated.
 */
export class ChargeWaivers {
  constructor(
    private readonly pool: Pool,
    private readonly billed: Pick<BilledCharges, 'waive'>,
  ) {}

  /** @throws AccountError `not_found`, `conflict` */
  async waive(requestId: string, reason: { by: string; why: string }): Promise<void> {
    const waiver = await this.billed.waive(requestId, reason);
    if (waiver === 'unknown') throw notFound('request', requestId);
    if (waiver === 'rated') throw new AccountError('conflict', 'Only a parked request can be waived, and this one has its charge: charge show explains it. Give back what is too much with a top-up.');
    if (waiver === 'unreadable') throw new AccountError('conflict', 'Its record in billing.parked can be read no longer, so nobody knows whose it is: restore the row from a backup.');
    await inTransaction(this.pool, (client) => writeAudit(client, { actor: reason.by, action: 'charge.waived', subject: requestId, after: { why: reason.why, answer: waiver } }));
  }
}
