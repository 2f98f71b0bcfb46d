import type { StoredRecord } from './redis-accounts.js';

/** One account as its hash in Redis says. */
export interface StoredAccount {
  ready: boolean;
  seq: bigint;
  limitNanoUsd: bigint;
  heldNanoUsd: bigint;
  settledNanoUsd: bigint;
  held: StoredHold[];
  settled: StoredSettlement[];
  tombstones: StoredTombstone[];
}

export interface StoredHold extends StoredRecord {
  amountNanoUsd: bigint;
  /** Gateway that renews its lease. */
  owner: string;
  /** Milliseconds since 1970, by the server's clock. */
  leaseUntilMs: number;
}

export interface StoredSettlement extends StoredRecord {
  amountNanoUsd: bigint;
  atMs: number;
}

export interface StoredTombstone extends StoredRecord {
  untilMs: number;
}

/** Undefined: there is no such account. What a script wrote, see `scripts.ts`. */
export function readStoredAccount(fields: Readonly<Record<string, string>>): StoredAccount | undefined {
  const { p: phase, seq, lim, held: heldSum, settled: settledSum } = fields;
  if (phase === undefined || seq === undefined) return undefined;
  const account: StoredAccount = {
    ready: phase === 'r',
    seq: BigInt(seq),
    limitNanoUsd: BigInt(lim ?? 0),
    heldNanoUsd: BigInt(heldSum ?? 0),
    settledNanoUsd: BigInt(settledSum ?? 0),
    held: [],
    settled: [],
    tombstones: [],
  };
  for (const [requestId, value] of Object.entries(fields)) readRecord(account, requestId, value);
  return account;
}

/** Fields of the header have no bar. */
function readRecord({ held, settled, tombstones }: StoredAccount, requestId: string, value: string): void {
  const [kind, first = '0', second = '0', owner = '', lease = '0'] = value.split('|');
  if (!value.includes('|')) return;
  if (kind === 'h') held.push({ requestId, value, amountNanoUsd: BigInt(first), owner, leaseUntilMs: Number(lease) });
  else if (kind === 's') settled.push({ requestId, value, amountNanoUsd: BigInt(first), atMs: Number(second) });
  else if (kind === 'v') tombstones.push({ requestId, value, untilMs: Number(first) });
}
