import { setTimeout as pause } from 'node:timers/promises';
import type { GatewayRecordReport, GatewayRecords } from '@tokone/account-client';
import { MINUTES_AT_ONCE } from '@tokone/billing-client';
import type { RatedAudit, RecordedMinute } from '@tokone/billing-client';
import { NotCheckedError } from './check-report.js';
import type { Findings } from './check-report.js';

export interface RecordComparisonParts {
  gateways: GatewayRecords;
  rated: RatedAudit;
  /** Whether billing has handled within the deadline everything that the log holds at the call. */
  rating(deadlineMs: number): Promise<boolean>;
}

/** Which gateways recorded what is compared. Minutes are since 1970. */
export interface RecordScope {
  gatewayIds: readonly string[];
  /** Minutes before are not compared: a gateway that is gone recorded some of them. */
  comparableFrom: number;
}

export interface RecordWindow {
  /** Minutes of the ids that are looked at; `to` is not in it. */
  ranges: readonly { from: number; to: number }[];
  /** The present one. */
  minute: number;
  /** As the run before left it. */
  scope: RecordScope;
}

const HAND_ON_DEADLINE_MS = 20_000;
const RATING_DEADLINE_MS = 30_000;
const LOOKS = 3;
const MINUTE_MS = 60_000;
/** An OPEN whose exchange does not run is one that begins, for a moment. */
const LEAST_BETWEEN_LOOKS_MS = 500;

/**
 * R5. What the gateways handed on, by the minute of the ids; then billing reads its log to the end; then billing's rows;
 * then the gateways once more. A minute in which nothing was handed on meanwhile must be equal. The others are looked at
 * again, and left to the next run when they still move. An OPEN that neither has an end nor runs, twice, is lost.
 * @returns the scope for the next run.
 */
export async function checkRecords(parts: RecordComparisonParts, findings: Findings, { ranges, minute: present, scope }: RecordWindow): Promise<RecordScope> {
  let before = await parts.gateways.reports(HAND_ON_DEADLINE_MS);
  const gatewayIds = before.map(({ gatewayId }) => gatewayId);
  const isGone = scope.gatewayIds.some((id) => !gatewayIds.includes(id));
  const comparableFrom = isGone ? present + 1 : scope.comparableFrom;
  const from = Math.max(comparableFrom, ...before.map(({ sinceMs }) => Math.ceil(sinceMs / MINUTE_MS)));
  let open = ranges.flatMap((range) => minutesOf({ from: Math.max(range.from, from), to: range.to }));
  let lost = lostOf(before);
  for (let looks = 0; looks < LOOKS && (open.length > 0 || lost.size > 0); looks++) {
    if (!(await parts.rating(RATING_DEADLINE_MS))) throw new NotCheckedError(`billing has not handled within ${RATING_DEADLINE_MS / 1000} s what the gateways have recorded`);
    const known = await readMinutes(parts.rated, open);
    await pause(LEAST_BETWEEN_LOOKS_MS);
    const after = await parts.gateways.reports(HAND_ON_DEADLINE_MS);
    const stillLost = lostOf(after);
    lost = new Set([...lost].filter((id) => stillLost.has(id)));
    open = open.filter((minute) => !judge({ minute, known, before: totalOf(before, minute), after: totalOf(after, minute) }, findings));
    before = after;
  }
  for (const id of lost) findings.add(id, 'its OPEN has neither a CLOSE nor was it taken back, and it does not run');
  return { gatewayIds, comparableFrom };
}

interface MinuteTotal {
  count: number;
  idXor: bigint;
}

interface Judged {
  minute: number;
  known: ReadonlyMap<number, RecordedMinute>;
  before: MinuteTotal;
  after: MinuteTotal;
}

/** Whether it stood still, so that it could be compared. */
function judge({ minute, known, before, after }: Judged, findings: Findings): boolean {
  if (before.count !== after.count || before.idXor !== after.idXor) return false;
  const rows = known.get(minute);
  const found = { count: rows?.count ?? 0, idXor: BigInt(`0x${rows?.idXor ?? '0'}`) };
  if (found.count === after.count && found.idXor === after.idXor) return true;
  const difference = found.count - after.count;
  const only = Math.abs(difference) === 1 ? `: ${uuidOf(found.idXor ^ after.idXor)}` : '';
  const what = difference < 0 ? `${-difference} that billing has not` : `${difference} more than a gateway recorded`;
  findings.add(`minute ${new Date(minute * MINUTE_MS).toISOString().slice(0, 16)}Z`, `gateways recorded ${after.count} requests, billing has ${found.count}${difference === 0 ? ', not the same ones' : `, ${what}${only}`}`);
  return true;
}

function totalOf(reports: readonly GatewayRecordReport[], minute: number): MinuteTotal {
  const total: MinuteTotal = { count: 0, idXor: 0n };
  for (const { minutes } of reports) {
    const told = minutes.find((each) => each.minute === minute);
    if (told === undefined) continue;
    total.count += told.count;
    total.idXor ^= BigInt(`0x${told.idXor}`);
  }
  return total;
}

async function readMinutes(rated: RatedAudit, minutes: readonly number[]): Promise<Map<number, RecordedMinute>> {
  const found = new Map<number, RecordedMinute>();
  for (let index = 0; index < minutes.length; ) {
    const from = minutes[index] ?? 0;
    let to = from + 1;
    for (index++; minutes[index] === to && to - from < MINUTES_AT_ONCE; index++) to++;
    for (const minute of await rated.minutes({ from, to })) found.set(minute.minute, minute);
  }
  return found;
}

function minutesOf({ from, to }: { from: number; to: number }): number[] {
  return from < to ? Array.from({ length: to - from }, (_, index) => from + index) : [];
}

function lostOf(reports: readonly GatewayRecordReport[]): Set<string> {
  return new Set(reports.flatMap(({ lost }) => lost));
}

function uuidOf(bits: bigint): string {
  return bits.toString(16).padStart(32, '0').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
