/** Nano-USD in one USD. */
export const NANO_USD_PER_USD = 1_000_000_000n;

/** Parts per million in 1.0: the multiplier that changes nothing. */
export const PPM_ONE = 1_000_000;

/**
 * Reads a USD amount as a person writes it (`10`, `0.25`, `-3.5`), exactly, to nano-USD.
 * Throws a RangeError with a sentence for anything else, for more than nine decimals, and above 9 billion USD.
 */
export function readUsd(text: string): bigint {
  const match = /^(-?)(\d{1,10})(?:\.(\d{1,9}))?$/.exec(text.trim());
  if (!match) throw new RangeError(`"${text}" is not an amount in USD: write it like 10 or 0.25, at most nine decimals.`);
  const [, sign, whole = '0', fraction = ''] = match;
  const nano = BigInt(whole) * NANO_USD_PER_USD + BigInt(fraction.padEnd(9, '0'));
  if (nano > 9_000_000_000n * NANO_USD_PER_USD) throw new RangeError(`${text} USD is more than TokOne can hold (9 billion).`);
  return sign === '-' ? -nano : nano;
}

/** Writes nano-USD as a decimal USD string: exact, no trailing zeros beyond two decimals (`10.00`, `0.000125`). */
export function writeUsd(nanoUsd: bigint): string {
  const sign = nanoUsd < 0n ? '-' : '';
  const absolute = nanoUsd < 0n ? -nanoUsd : nanoUsd;
  const fraction = (absolute % NANO_USD_PER_USD).toString().padStart(9, '0').replace(/0{1,7}$/, '');
  return `${sign}${absolute / NANO_USD_PER_USD}.${fraction}`;
}

/** Nano-USD as a JSON number of USD, for the one endpoint whose clients expect numbers. Exact to nine decimals below 8 million USD. */
export function usdNumber(nanoUsd: bigint): number {
  return Number(writeUsd(nanoUsd));
}
