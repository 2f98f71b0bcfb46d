import { z } from 'zod';
import type { AdmissionPosting } from './admission.js';
import type { UnpostedRecords } from './memory-admission.js';

/** Most postings in one message, and most accounts and most requests in one answer of the view. */
export const MOST_POSTINGS = 500;
export const MOST_UNPOSTED_ACCOUNTS = 5_000;
export const MOST_UNPOSTED_REQUESTS = 20_000;

const seq = z.string().regex(/^\d{1,19}$/).transform(BigInt);
const nanoUsd = z.string().regex(/^-?\d{1,19}$/).transform(BigInt);

/** Of a UUID. Its digits are not looked at: that would be half of the cost of a message, and an id that is none finds nothing. */
const id = z.string().length(36);

/** Body of `admission/post`, to the postings in it. */
export const postingsMessage = z
  .object({ postings: z.array(z.object({ accountId: id, seq, balanceNanoUsd: nanoUsd, requestIds: z.array(id) })).max(MOST_POSTINGS) })
  .transform(({ postings }): AdmissionPosting[] => postings);

const unpostedAnswer = z.object({ accounts: z.array(z.object({ accountId: id, seq, requestIds: z.array(id) })) });

export function writePostings(postings: readonly AdmissionPosting[]): object {
  return {
    postings: postings.map(({ accountId, seq: sequence, balanceNanoUsd, requestIds }) => ({
      accountId,
      seq: sequence.toString(),
      balanceNanoUsd: balanceNanoUsd.toString(),
      requestIds,
    })),
  };
}

export function writeUnposted(accounts: readonly UnpostedRecords[]): object {
  return { accounts: accounts.map((account) => ({ ...account, seq: account.seq.toString() })) };
}

export function readUnposted(json: unknown): UnpostedRecords[] {
  return unpostedAnswer.parse(json).accounts;
}
