import type { IdRange } from '@tokone/protocol';

/**
 * What billing has, for whoever compares it with the ledger and with the gateways. Reads only. Every answer is of one
 * statement's snapshot, or of several where it says so, and bounded. Money is nano-USD.
 */
export interface RatedAudit {
  /** The sums of the first rows of a range, of `ROWS_PER_PAGE` at most. */
  chargePage(range: IdRange): Promise<ChargePage>;
  /** The charges above 0 of a range that a page covered, by rising id. */
  charges(range: IdRange): Promise<RatedFact[]>;
  /** What is rated of these requests, at most `IDS_AT_ONCE`, charges of 0 included; others are left out. */
  chargesOf(ids: readonly string[]): Promise<RatedFact[]>;
  /** How many requests of each minute are rated, parked or dead; at most `MINUTES_AT_ONCE`, each of a snapshot of its own. */
  minutes(range: MinuteRange): Promise<RecordedMinute[]>;
  /** How far each partition of the log is handled, and how many records that were. */
  partitions(): Promise<CountedPartition[]>;
}

/** Rows of usage, charged or not, that one page looks at. */
export const ROWS_PER_PAGE = 10_000;
export const IDS_AT_ONCE = 1_000;
export const MINUTES_AT_ONCE = 15;

/** The charges above 0 in a part of a range. */
export interface ChargeSums {
  count: number;
  ratedNanoUsd: bigint;
  chargeNanoUsd: bigint;
  /** Over id, account, both amounts of each: equal sums of different charges differ in it. Empty for none. */
  fingerprint: string;
}

export interface ChargePage extends ChargeSums {
  /** The page reaches to this id; undefined: to the end of the range. */
  last: string | undefined;
}

export interface RatedFact {
  id: string;
  accountId: string;
  ratedNanoUsd: bigint;
  /** At most what admission granted. */
  chargeNanoUsd: bigint;
}

/** Minutes since 1970, by the time that an id carries; `to` is not in it. */
export interface MinuteRange {
  from: number;
  to: number;
}

/** The requests whose ids are of one minute. */
export interface RecordedMinute {
  minute: number;
  count: number;
  /** All ids, one XOR the other, 32 hex digits: of two that differ by one request, the difference is its id. */
  idXor: string;
}

export interface CountedPartition {
  /** Of the log: cluster, topic and number. */
  name: string;
  /** Where billing reads on. */
  nextOffset: bigint;
  /** What was handled between these two offsets, repetitions included, and how many of it became usage rows. */
  countedFrom: bigint;
  countedTo: bigint;
  records: bigint;
  rated: bigint;
  dead: bigint;
}
