import { z } from 'zod';
import { IDS_AT_ONCE, MINUTES_AT_ONCE } from './rated-audit.js';
import type { ChargePage, CountedPartition, RatedFact, RecordedMinute } from './rated-audit.js';

const id = z.uuid();
const amount = z.string().regex(/^\d{1,40}$/).transform(BigInt);
const count = z.number().int().min(0);

export const idRangeQuestion = z.object({ after: z.guid(), upTo: z.guid() });
export const idsQuestion = z.object({ ids: z.array(z.guid()).max(IDS_AT_ONCE) });
export const minutesQuestion = z.object({ from: count, to: count }).refine(({ from, to }) => to - from <= MINUTES_AT_ONCE, `asks for more than ${MINUTES_AT_ONCE} minutes`);

const pageAnswer = z.object({ page: z.object({ last: z.guid().nullable(), count, ratedNanoUsd: amount, chargeNanoUsd: amount, fingerprint: z.string() }) });
const factsAnswer = z.object({ charges: z.array(z.object({ id: z.guid(), accountId: id, ratedNanoUsd: amount, chargeNanoUsd: amount })) });
const minutesAnswer = z.object({ minutes: z.array(z.object({ minute: count, count, idXor: z.string().length(32) })) });
const partitionsAnswer = z.object({ partitions: z.array(z.object({ name: z.string(), nextOffset: amount, countedFrom: amount, countedTo: amount, records: amount, rated: amount, dead: amount })) });

/** Amounts and offsets as decimal strings. */
export function writeAudit(answer: Record<string, unknown>): unknown {
  return JSON.parse(JSON.stringify(answer, (_name, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)));
}

export function writeChargePage(page: ChargePage): unknown {
  return writeAudit({ page: { ...page, last: page.last ?? null } });
}

export function readChargePage(json: unknown): ChargePage {
  const { page } = pageAnswer.parse(json);
  return { ...page, last: page.last ?? undefined };
}

export function readFacts(json: unknown): RatedFact[] {
  return factsAnswer.parse(json).charges;
}

export function readMinutes(json: unknown): RecordedMinute[] {
  return minutesAnswer.parse(json).minutes;
}

export function readPartitions(json: unknown): CountedPartition[] {
  return partitionsAnswer.parse(json).partitions;
}
