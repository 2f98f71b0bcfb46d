import { CommandError } from './management-client.js';

/** The command line itself is wrong: nothing was asked of anybody. */
export class ArgumentError extends CommandError {}

export function readId(text: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return text.toLowerCase();
  throw new ArgumentError(`"${text}" is not an id, such as 01940000-0000-7000-8000-000000000000.`);
}

/** Above 0. What is too much is the ledger's decision. */
export function readAmount(text: string): string {
  const amount = text.trim();
  if (/^\d{1,10}(\.\d{1,9})?$/.test(amount) && !/^[0.]+$/.test(amount)) return amount;
  throw new ArgumentError(`"${text}" is not an amount: write USD above 0 like 10 or 0.25, with at most nine decimals.`);
}

/** A whole number, at least 1. What is too much is the API's decision. */
export function readLimit(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new ArgumentError(`"${text}" is not a limit: write a whole number of at least 1.`);
}
