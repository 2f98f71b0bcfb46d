import type { InternalClient } from '@tokone/http';
import { z } from 'zod';

const DEADLINE_MS = 2_000;
/** As `writeChargeStatement` of billing makes it: JSON for people, handed on as it came. */
const answer = z.object({ charge: z.record(z.string(), z.unknown()).nullable() });

/** Explains charges, for the management API. */
export class HttpChargeStatements {
  constructor(private readonly client: InternalClient) {}

  /** Undefined when billing has never seen the request, or has not yet. @throws InternalCallError, also when `requestId` is not a UUID. */
  async explain(requestId: string): Promise<object | undefined> {
    const path = `/internal/billing/charges/${encodeURIComponent(requestId)}`;
    return this.client.call({ method: 'GET', path, deadlineMs: DEADLINE_MS, read: (json) => answer.parse(json).charge ?? undefined });
  }
}
