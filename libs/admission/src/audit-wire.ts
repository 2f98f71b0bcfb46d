import { z } from 'zod';
import type { AuditPage, AuditedAccount } from './admission-audit.js';

const amount = z.string().regex(/^-?\d{1,19}$/).transform(BigInt);
const record = z.object({ requestId: z.string(), state: z.enum(['held', 'settled']), amountNanoUsd: amount, ageMs: z.number(), leaseMs: z.number().optional() });
const account = z.object({ accountId: z.string(), seq: amount, limitNanoUsd: amount, heldNanoUsd: amount, settledNanoUsd: amount, records: z.array(record) });
const answer = z.object({ accounts: z.array(account), last: z.number().nullable() });

/** Amounts as decimal strings. */
export function writeAuditPage({ accounts, last }: AuditPage): unknown {
  return JSON.parse(JSON.stringify({ accounts, last: last ?? null }, (_name, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)));
}

export function readAuditPage(json: unknown): AuditPage {
  const { accounts, last } = answer.parse(json);
  return { accounts: accounts.map(withoutAbsentLeases), last: last ?? undefined };
}

function withoutAbsentLeases({ records, ...rest }: z.output<typeof account>): AuditedAccount {
  return { ...rest, records: records.map(({ leaseMs, ...fields }) => ({ ...fields, ...(leaseMs !== undefined && { leaseMs }) })) };
}
