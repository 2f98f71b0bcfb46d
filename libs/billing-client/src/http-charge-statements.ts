import type { InternalClient } from '@tokone/http';
import { z } from 'zod';

/**
 * What became of the wish that a parked request cost nothing. `waived_before`: it does already. `rated`: it was not
 * parked, or is not any more. `unreadable`: its record was damaged since it was parked. `unknown`: billing has never seen
 * it, or has not yet.
 */
export const WAIVERS = ['waived', 'waived_before', 'rated', 'unreadable', 'unknown'] as const;
export type Waiver = (typeof WAIVERS)[number];

/** `by`: who decides. `why`: for whoever asks later. */
export const waiverQuestion = z.strictObject({ by: z.string().min(1).max(200), why: z.string().min(1).max(1_000) });

const DEADLINE_MS = 2_000;
/** As `writeChargeStatement` of billing makes it: JSON for people, handed on as it came. */
const answer = z.object({ charge: z.record(z.string(), z.unknown()).nullable() });
const waiverAnswer = z.object({ waiver: z.enum(WAIVERS) });

/** Explains charges and waives parked requests, for the management API. */
export class HttpChargeStatements {
  constructor(private readonly client: InternalClient) {}

  /** Undefined when billing has never seen the request, or has not yet. @throws InternalCallError, also when `requestId` is not a UUID. */
  async explain(requestId: string): Promise<object | undefined> {
    return this.client.call({ method: 'GET', path: pathOf(requestId), deadlineMs: DEADLINE_MS, read: (json) => answer.parse(json).charge ?? undefined });
  }

  /** May be repeated. @throws InternalCallError */
  async waive(requestId: string, reason: z.infer<typeof waiverQuestion>): Promise<Waiver> {
    return this.client.call({ method: 'POST', path: `${pathOf(requestId)}/waive`, body: reason, deadlineMs: DEADLINE_MS, read: (json) => waiverAnswer.parse(json).waiver });
  }
}

function pathOf(requestId: string): string {
  return `/internal/billing/charges/${encodeURIComponent(requestId)}`;
}
