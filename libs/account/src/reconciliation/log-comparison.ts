import type { CountedPartition, RatedAudit } from '@tokone/billing-client';
import type { LogRange } from '@tokone/messaging';
import { NotCheckedError } from './check-report.js';
import type { Findings } from './check-report.js';

export interface LogComparisonParts {
  /** The partitions of `usage.recorded` in Kafka, under the names of their cursors. */
  log: { usagePartitions(): Promise<LogRange[]> };
  rated: RatedAudit;
  /** Whether billing has handled within the deadline everything that the log holds at the call. */
  rating(deadlineMs: number): Promise<boolean>;
}

const RATING_DEADLINE_MS = 30_000;

/**
 * R6. For each partition, from where billing began to count to the end that the log had when it was asked: as many
 * records handled as offsets. Offsets are without gaps: producers are idempotent, not transactional, and nothing is
 * compacted. Billing counts in the transaction that moves its cursor.
 */
export async function checkLog({ log, rated, rating }: LogComparisonParts, findings: Findings): Promise<void> {
  const ranges = await log.usagePartitions();
  if (!(await rating(RATING_DEADLINE_MS))) throw new NotCheckedError(`billing has not handled within ${RATING_DEADLINE_MS / 1000} s what the log holds`);
  const counted = new Map((await rated.partitions()).map((partition) => [partition.name, partition]));
  for (const range of ranges) {
    const detail = faultOf(range, counted.get(range.name));
    if (detail !== undefined) findings.add(range.name, detail);
  }
}

function faultOf({ low, high }: LogRange, partition: CountedPartition | undefined): string | undefined {
  if (partition === undefined) return high > 0n ? `it ends at ${high}, and billing has no cursor in it` : undefined;
  const { nextOffset, countedFrom, countedTo, records, rated, dead } = partition;
  const handled = `${records} records were handled, of which ${rated} became usage and ${dead} are dead`;
  const offsets = countedTo - countedFrom;
  if (records < offsets) return `from offset ${countedFrom} to ${countedTo} ${handled}: ${offsets - records} were passed over`;
  if (records > offsets) return `from offset ${countedFrom} to ${countedTo} ${handled}: ${records - offsets} too many`;
  if (countedTo < high) return `it ends at ${high}, and billing has counted to ${countedTo}`;
  if (nextOffset > countedTo) return `the cursor is ${nextOffset}, and billing has counted to ${countedTo}`;
  if (countedTo < low) return `it begins at ${low}, and billing has counted to ${countedTo}`;
  return undefined;
}
