/** The comparisons of money, by the names that alarms, documents and the command line have for them. */
export const CHECK_QUESTIONS = {
  R1: 'Do all entries of the ledger sum to 0?',
  R2: 'Is each balance the sum of its entries, and their sequence without a gap?',
  R3: 'Is each rated charge posted once with its amount, and nothing else?',
  R4: 'Does admission know what the ledger knows, and hold nothing that is over?',
  R5: 'Does billing have each request that a gateway recorded, and no other?',
  R6: 'Has billing handled each record of usage.recorded, none passed over?',
} as const;

export type CheckName = keyof typeof CHECK_QUESTIONS;

/**
 * `not_checked`: a part that it needs does not answer; never counted as right. `not_applicable`: this shape has no such
 * part. What was found before a part went silent makes it `wrong`, and the reason says the rest.
 */
export type CheckState = 'right' | 'wrong' | 'not_checked' | 'not_applicable';

export interface Mismatch {
  /** Id of the ledger account, transfer, request, account or partition. */
  subject: string;
  /** What is wrong with it. Amounts are nano-USD. */
  detail: string;
}

export interface CheckReport {
  name: CheckName;
  question: string;
  state: CheckState;
  mismatches: number;
  /** The first `MOST_SUBJECTS` of them. */
  subjects: Mismatch[];
  tookMs: number;
  /** Why it could not be checked, or not to its end. */
  reason?: string;
}

export interface ReconciliationReport {
  id: string;
  startedAt: string;
  tookMs: number;
  /** Everything that there is, instead of what came since the report before. */
  full: boolean;
  /** Of all checks: wrong if one is; else not checked if one is not. */
  state: Exclude<CheckState, 'not_applicable'>;
  checks: CheckReport[];
}

/** A mismatch is a page for a person, not a list for a program. */
export const MOST_SUBJECTS = 100;

/** Beyond so many, one that is found twice counts twice. */
const MOST_KNOWN = 100_000;

/** What one check has found so far. What is found on two ways counts once. */
export class Findings {
  mismatches = 0;
  readonly subjects: Mismatch[] = [];
  private readonly known = new Set<string>();

  add(subject: string, detail: string): void {
    const key = `${subject} ${detail}`;
    if (this.known.has(key)) return;
    if (this.known.size < MOST_KNOWN) this.known.add(key);
    this.mismatches++;
    if (this.subjects.length < MOST_SUBJECTS) this.subjects.push({ subject, detail });
  }
}

/** A part that a check needs does not answer. The message is the reason in the report. */
export class NotCheckedError extends Error {
  override readonly name = 'NotCheckedError';
}

/** Runs one check to its report. Never throws: whatever goes wrong is a reason why it is not checked. */
export async function runCheck(name: CheckName, check: ((findings: Findings) => Promise<void>) | undefined, now: () => number): Promise<CheckReport> {
  const [startedMs, findings] = [now(), new Findings()];
  let reason: string | undefined;
  try {
    await check?.(findings);
  } catch (error) {
    reason = error instanceof Error ? error.message : String(error);
  }
  const { mismatches, subjects } = findings;
  const checked = reason === undefined ? 'right' : 'not_checked';
  const state = check === undefined ? 'not_applicable' : mismatches > 0 ? 'wrong' : checked;
  return { name, question: CHECK_QUESTIONS[name], state, mismatches, subjects, tookMs: Math.round(now() - startedMs), ...(reason !== undefined && { reason }) };
}

export function stateOf(checks: readonly CheckReport[]): ReconciliationReport['state'] {
  if (checks.some(({ state }) => state === 'wrong')) return 'wrong';
  return checks.some(({ state }) => state === 'not_checked') ? 'not_checked' : 'right';
}
