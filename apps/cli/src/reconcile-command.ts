import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { CommandError, RefusedError } from './management-client.js';
import type { ManagementClient } from './management-client.js';

export interface ReconcileWorld {
  client(): Promise<ManagementClient>;
  print(text: string): void;
  json: boolean;
  /** 0 nothing found, 1 mismatches, 2 not all could be checked. */
  exit(code: number): void;
}

interface CheckAnswer {
  name: string;
  question: string;
  state: string;
  mismatches: number;
  subjects: { subject: string; detail: string }[];
  tookMs: number;
  reason?: string;
}

interface ReportAnswer {
  id: string;
  state: string;
  full: boolean;
  startedAt: string;
  tookMs: number;
  checks: CheckAnswer[];
}

const POLL_MS = 300;
const DEADLINE_MS = 300_000;
const FULL_DEADLINE_MS = 6 * 3_600_000;
const EXIT_CODES: Readonly<Record<string, number>> = { right: 0, wrong: 1, not_checked: 2 };

/** Begins a run and waits for its report. */
export function addReconcile(program: Command, world: ReconcileWorld): void {
  program
    .command('reconcile')
    .description('compare ledger, billing, admission, gateways and log; nothing is changed')
    .option('--full', 'everything that there is, not only what came since the last time')
    .addHelpText('after', '\nExit status: 0 everything is right, 1 mismatches, 2 not everything could be checked.')
    .action(async ({ full = false }: { full?: boolean }) => {
      // Before anything is known, nothing was checked.
      world.exit(2);
      const report = await reconcile(await world.client(), full);
      world.print(world.json ? JSON.stringify(report) : describeReport(report));
      world.exit(EXIT_CODES[report.state] ?? 2);
    });
}

/** A run of another one's, such as the one of every five minutes, is waited for. */
async function reconcile(client: ManagementClient, full: boolean): Promise<ReportAnswer> {
  const deadline = AbortSignal.timeout(full ? FULL_DEADLINE_MS : DEADLINE_MS);
  let id: string | undefined;
  while (!deadline.aborted) {
    if (id === undefined) id = await begin(client, full);
    else {
      const { report } = (await client.call({ method: 'GET', path: '/api/v1/reconciliation' })) as { report: ReportAnswer | null };
      if (report?.id === id) return report;
    }
    await pause(POLL_MS);
  }
  throw new CommandError('The reconciliation has not ended in time, or the process that made it is gone. Its log says more.');
}

async function begin(client: ManagementClient, full: boolean): Promise<string | undefined> {
  try {
    return ((await client.call({ method: 'POST', path: '/api/v1/reconciliation', body: { full } })) as { id: string }).id;
  } catch (error) {
    if (error instanceof RefusedError && error.code === 'conflict') return undefined;
    throw error;
  }
}

const VERDICTS: Readonly<Record<string, string>> = { right: 'right', wrong: 'WRONG', not_checked: 'NOT CHECKED', not_applicable: 'not in this shape' };

/** A line for each check, and what it found below it. */
export function describeReport({ state, full, startedAt, tookMs, checks }: ReportAnswer): string {
  const lines = checks.flatMap(({ name, question, state: verdict, mismatches, subjects, tookMs: checkMs, reason }) => [
    `${name}  ${VERDICTS[verdict] ?? verdict}  ${question}  (${checkMs} ms)`,
    ...(reason === undefined ? [] : [`    not checked: ${reason}`]),
    ...subjects.map(({ subject, detail }) => `    ${subject}: ${detail}`),
    ...(mismatches > subjects.length ? [`    and ${mismatches - subjects.length} more`] : []),
  ]);
  return [`${full ? 'Full reconciliation' : 'Reconciliation'} of ${startedAt}, ${tookMs} ms: ${VERDICTS[state] ?? state}`, ...lines].join('\n');
}
