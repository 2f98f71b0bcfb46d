import { z } from 'zod';

/** What one gateway has recorded and handed on, for whoever compares it with what billing has. */
export interface GatewayRecordReport {
  /** Of its spool. */
  gatewayId: string;
  /** Milliseconds since 1970: every event of an id from then on was counted. */
  sinceMs: number;
  /** By the minute of the ids: how many events were handed on, refusals included, and all ids, one XOR the other, 32 hex digits. */
  minutes: { minute: number; count: number; idXor: string }[];
  /** Requests that have an OPEN, neither a CLOSE nor a taking back, and are not running: so many at most. */
  lost: string[];
}

export const MOST_LOST = 1_000;

/** The gateways that may have recorded something. */
export interface GatewayRecords {
  /**
   * One report of each gateway, taken when everything that its spool held at the call was handed on. Throws when one of
   * them does not answer, or cannot hand on within the deadline: what it has recorded is then not known.
   */
  reports(deadlineMs: number): Promise<GatewayRecordReport[]>;
}

const count = z.number().int().min(0);
const report = z.object({
  gatewayId: z.string(),
  sinceMs: z.number(),
  minutes: z.array(z.object({ minute: count, count, idXor: z.string().length(32) })),
  lost: z.array(z.string()).max(MOST_LOST),
});

export const recordsQuestion = z.object({ waitMs: z.coerce.number().int().min(0).max(60_000) });

export function readRecordReport(json: unknown): GatewayRecordReport {
  return report.parse(json);
}
