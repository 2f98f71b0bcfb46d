import type { InternalClient } from '@tokone/http';
import type { IdRange } from '@tokone/protocol';
import { readChargePage, readFacts, readMinutes, readPartitions } from './rated-audit-wire.js';
import type { ChargePage, CountedPartition, MinuteRange, RatedAudit, RatedFact, RecordedMinute } from './rated-audit.js';

/** Above the deadline of billing's own statements. */
const DEADLINE_MS = 15_000;

/** Billing's side of the comparison, over its internal listener. Each call throws an InternalCallError. */
export class HttpRatedAudit implements RatedAudit {
  constructor(private readonly client: InternalClient) {}

  chargePage(range: IdRange): Promise<ChargePage> {
    return this.ask('charge-page', range, readChargePage);
  }

  charges(range: IdRange): Promise<RatedFact[]> {
    return this.ask('charges', range, readFacts);
  }

  chargesOf(ids: readonly string[]): Promise<RatedFact[]> {
    return this.ask('charges-of', { ids }, readFacts);
  }

  minutes(range: MinuteRange): Promise<RecordedMinute[]> {
    return this.ask('minutes', range, readMinutes);
  }

  partitions(): Promise<CountedPartition[]> {
    return this.ask('partitions', {}, readPartitions);
  }

  private ask<Answer>(question: string, body: object, read: (json: unknown) => Answer): Promise<Answer> {
    return this.client.call({ method: 'POST', path: `/internal/billing/audit/${question}`, body, deadlineMs: DEADLINE_MS, read });
  }
}
