import { StandardSchemaValidationPipe } from '@nestjs/common';
import { readUsd } from '@tokone/pricing';
import { z } from 'zod';
import { AccountError } from '../account-error.js';

/** Validates what a route declares with `schema`. The first problem is named with its field. */
export const requestPipe = new StandardSchemaValidationPipe({
  exceptionFactory: ([issue]) => {
    const field = issue?.path?.map((part) => String(typeof part === 'object' ? part.key : part)).join('.');
    return new AccountError('invalid_request', `${field ? `${field}: ` : ''}${issue?.message ?? 'The request is not valid.'}`);
  },
});

/** Text that a person wrote, on one line. Half of a surrogate pair has no bytes that a database could keep. */
export function line(maxLength: number): z.ZodType<string, string> {
  return z
    .string()
    .trim()
    .max(maxLength)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must not hold control characters, or halves of characters');
}

export const name = line(100).pipe(z.string().min(1, 'must not be empty'));

export const id = z.uuid().toLowerCase();

/** USD as a decimal string → nano-USD. */
export const usd = z.string().transform((text, context) => {
  try {
    return readUsd(text);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    context.addIssue({ code: 'custom', message: error.message });
    return z.NEVER;
  }
});

/** Lists come in pages in order of creation; `after` is the last id of the page before. */
export const page = {
  after: id.optional(),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
};

/** `next` is the `after` of the next page, null on the last one. */
export function writePage<Item extends { id: string }>(items: readonly Item[], limit: number): { items: readonly Item[]; next: string | null } {
  return { items, next: items.length === limit ? (items.at(-1)?.id ?? null) : null };
}
