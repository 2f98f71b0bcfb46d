/**
 * The records of the gateway's spool. OPEN, EXTEND and PROGRESS are only for the gateway that wrote them (and for
 * the recovery of its spool); CLOSE and REFUSED carry a whole `usage.recorded` as JSON.
 */
export const SPOOL_RECORD = { open: 1, progress: 2, extend: 3, close: 4, refused: 5 } as const;
export type SpoolRecordType = (typeof SPOOL_RECORD)[keyof typeof SPOOL_RECORD];

/** Written before the request goes to an adapter. Enough to close the request after a crash. */
export interface OpenPayload {
  accountId: string;
  keyId: string;
  groupId: string;
  model: string;
  dialect: string;
  streamed: boolean;
  priceId: string;
  multiplierPpm: number;
  /** Nano-USD, decimal. */
  holdNanoUsd: string;
  /** Input when nothing is reported: bytes of text / 4, and the media rules. */
  estimatedInputTokens: number;
  serviceTier: string | null;
  startedAtMs: number;
  requestBytes: number;
}

/** Written before the first byte goes to the client and then every 512 tokens or 2 s. Later ones supersede earlier ones. */
export interface ProgressPayload {
  /** Tokens read until now: reported input where the provider told it, else the estimate; output by our count. */
  tokens: Record<string, number>;
  status: number;
}

/** Written before the tokens go out that the extension pays for. */
export interface ExtendPayload {
  /** The whole hold after the extension. Nano-USD, decimal. */
  holdNanoUsd: string;
}
