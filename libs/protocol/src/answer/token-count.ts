import type { ReportedUsage } from './answer-scanner.js';

/** More tokens than this in one class of one answer cannot be true. */
const ABSURD_TOKENS = 2 ** 40;
const RAW_LIMIT_BYTES = 4096;

/**
 * Reads the counts of one usage object and remembers whether anything in it was odd.
 */
export class TokenCount {
  odd = false;

  /** A count that should be an integer ≥ 0; absent is 0, everything else is clamped and odd. */
  read(value: unknown): number {
    if (value === undefined || value === null) {
      return 0;
    }
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= ABSURD_TOKENS) {
      return value;
    }
    this.odd = true;
    if (typeof value !== 'number' || Number.isNaN(value)) {
      return 0;
    }
    return Math.trunc(Math.min(Math.max(value, 0), ABSURD_TOKENS));
  }

  /** At most `available` of `wanted`: a part cannot be larger than its whole. */
  part(wanted: number, available: number): number {
    if (wanted <= available) {
      return wanted;
    }
    this.odd = true;
    return available;
  }

  /** A total that the provider states beside its parts. */
  expectTotal(stated: unknown, sum: number): void {
    if (typeof stated === 'number' && stated !== sum) {
      this.odd = true;
    }
  }
}

export type JsonObject = Readonly<Record<string, unknown>>;

export function asObject(value: unknown): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
}

export function asText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= 64 ? value : undefined;
}

/** The usage object as compact JSON; of a huge one only the numbers at its top. */
export function rawUsage(usage: JsonObject): ReportedUsage['raw'] {
  const whole = JSON.stringify(usage);
  if (Buffer.byteLength(whole) <= RAW_LIMIT_BYTES) {
    return whole;
  }
  const numbers = Object.entries(usage).filter(([name, value]) => typeof value === 'number' && name.length <= 64);
  return JSON.stringify(Object.fromEntries(numbers.slice(0, 32)));
}
