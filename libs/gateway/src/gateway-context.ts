import type { AccountDirectory, BalanceQuery, GroupRecord } from '@tokone/account-client';
import type { Adapter } from '@tokone/adapter-kit';
import type { Admission } from '@tokone/admission';
import type { PriceBook, UsageQuery } from '@tokone/billing-client';
import type { Platform, Uuid7Source } from '@tokone/protocol';
import type { Spool } from '@tokone/spool';
import type { Logger } from '@tokone/telemetry';

/** The ports that a gateway needs; a main chooses the drivers. */
export interface GatewayPorts {
  accounts: AccountDirectory;
  balances: BalanceQuery;
  admission: Admission;
  prices: PriceBook;
  usage: UsageQuery;
  adapters: ReadonlyMap<Platform, Adapter>;
  spool: Spool;
  ids: Uuid7Source;
  logger: Logger;
  /** Wall clock, milliseconds since 1970. */
  now: () => number;
  /** Milliseconds that only go forwards, for ages and deadlines. */
  monotonicNow: () => number;
}

export interface GatewayLimits {
  /** Largest request body, bytes. */
  bodyBytes: number;
  /** All request bodies that are being read or waiting at a time, bytes. */
  bufferedBodyBytes: number;
  /** For the whole body to arrive. */
  bodyTimeoutMs: number;
  stallTimeoutMs: number;
  /** How long an answer is read on after its client left, and how many at a time. */
  absentTimeoutMs: number;
  maxAbsent: number;
  settleTimeoutMs: number;
  /** Tokens held for a reference whose size the body does not tell. */
  referenceTokens: number;
}

export const DEFAULT_LIMITS: GatewayLimits = {
  bodyBytes: 32 * 1024 * 1024,
  bufferedBodyBytes: 512 * 1024 * 1024,
  bodyTimeoutMs: 60_000,
  stallTimeoutMs: 30_000,
  absentTimeoutMs: 120_000,
  maxAbsent: 1_000,
  settleTimeoutMs: 2_000,
  referenceTokens: 20_000,
};

/** The groups as last read; refreshed in the background because only refusals and lists need them. */
export interface GroupList {
  current(): readonly GroupRecord[];
}
