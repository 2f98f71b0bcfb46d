import { hash } from 'node:crypto';
import type { RatedCharge } from '@tokone/events';

/**
 * The rules of the double-entry ledger, without I/O. A transfer is a set of legs that sum to 0. Credit to a ledger
 * account is positive: a wallet's balance is what its tenant may spend, revenue grows, write-off and top-up clearing
 * go below zero.
 */
export const LEDGER_KINDS = ['wallet', 'revenue', 'write_off', 'top_up_clearing', 'refund', 'adjustment'] as const;
export type LedgerKind = (typeof LEDGER_KINDS)[number];

export const TRANSFER_KINDS = ['charge', 'top_up', 'refund', 'adjustment'] as const;
export type TransferKind = (typeof TRANSFER_KINDS)[number];

/** Revenue and write-off stand in this many rows, so that batches posted at once seldom wait for the same one. */
export const LEDGER_SHARDS = 16;

/** Position of a charge's legs within its transfer. Stored, so the numbers never change. */
export const CHARGE_LEG = { wallet: 1, writeOff: 2, revenue: 3 } as const;

/** One million USD. Far above any request, and low enough that 5,000 in a batch cannot overflow a 64-bit sum. */
export const LARGEST_CHARGE_NANO_USD = 1_000_000_000_000_000n;

export interface Leg {
  kind: LedgerKind;
  /** Nano-USD, not 0. */
  amountNanoUsd: bigint;
}

/** True for a charge that may be posted: 0 ≤ charge ≤ rated ≤ one million USD. */
export function isPostable(charge: RatedCharge): boolean {
  return (
    charge.chargeNanoUsd >= 0n &&
    charge.chargeNanoUsd <= charge.ratedNanoUsd &&
    charge.ratedNanoUsd <= LARGEST_CHARGE_NANO_USD
  );
}

/**
 * What each charge takes from a wallet, in order: all of it while the wallet lasts, then what is left, then nothing.
 * The posting statement computes the same in SQL; its test compares the two.
 */
export function debitsOf(balanceNanoUsd: bigint, chargesNanoUsd: readonly bigint[]): bigint[] {
  let left = balanceNanoUsd;
  return chargesNanoUsd.map((charge) => {
    const debit = charge < left ? charge : left;
    left -= debit;
    return debit;
  });
}

export function topUpLegs(amountNanoUsd: bigint): Leg[] {
  return [
    { kind: 'wallet', amountNanoUsd },
    { kind: 'top_up_clearing', amountNanoUsd: -amountNanoUsd },
  ];
}

/** Throws when legs are not a transfer: that is a defect of ours, and nothing may be posted from it. */
export function assertBalanced(legs: readonly Leg[]): void {
  if (legs.length < 2 || legs.some((leg) => leg.amountNanoUsd === 0n)) throw new Error('a transfer needs two legs or more, none of 0');
  const sum = legs.reduce((total, leg) => total + leg.amountNanoUsd, 0n);
  if (sum !== 0n) throw new Error(`a transfer's legs sum to ${sum}, not to 0`);
}

/** 32 bytes that differ when the content of a transfer differs. `parts` in a fixed order per kind. */
export function contentHash(kind: TransferKind, parts: readonly (string | bigint)[]): Buffer {
  return hash('sha256', JSON.stringify([kind, ...parts.map(String)]), 'buffer');
}

export function chargeHash(charge: RatedCharge): Buffer {
  return contentHash('charge', [charge.accountId.toLowerCase(), charge.ratedNanoUsd, charge.chargeNanoUsd]);
}

/**
 * The shard of a whole batch, by the hash of its first charge. One shard per batch and not one per charge: a batch
 * that touched all sixteen would wait for every other batch.
 */
export function shardOf(firstHash: Buffer): number {
  return firstHash.readUInt32BE(0) % LEDGER_SHARDS;
}
