import { waitFor } from '@tokone/testing';
import type { ServicesProcess } from '@tokone/testing';

interface Report {
  id: string;
  checks: { name: string; state: string; subjects: { subject: string; detail: string }[]; reason?: string }[];
}

const DEADLINE_MS = 120_000;

/** What a full reconciliation finds, and what it could not check. */
export async function findMismatches(services: ServicesProcess): Promise<string[]> {
  const begin = async (): Promise<string | undefined> => {
    const { status, body } = await services.manage('POST', '/api/v1/reconciliation', { full: true });
    return status === 202 ? String(body['id']) : undefined;
  };
  const id = await waitFor(begin, { what: 'a reconciliation to begin', deadlineMs: DEADLINE_MS });
  const ended = async (): Promise<Report | undefined> => {
    const report = (await services.manage('GET', '/api/v1/reconciliation')).body['report'] as Report | null;
    return report?.id === id ? report : undefined;
  };
  const { checks } = await waitFor(ended, { what: 'the report of a reconciliation', deadlineMs: DEADLINE_MS });
  return checks.flatMap(({ name, subjects, reason }) => [...subjects.map(({ subject, detail }) => `${name} ${subject}: ${detail}`), ...(reason === undefined ? [] : [`${name} not checked: ${reason}`])]);
}
