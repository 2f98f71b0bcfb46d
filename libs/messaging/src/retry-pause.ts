const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/**
 * How long to wait before trying again after `failures` failures in a row (1 or more): doubling from 100 ms to 5 s,
 * of which the upper half is left to chance, so that several consumers of a sick database do not come back together.
 */
export function retryPauseMs(failures: number, random: () => number): number {
  const wholeMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1));
  return (wholeMs / 2) * (1 + random());
}
