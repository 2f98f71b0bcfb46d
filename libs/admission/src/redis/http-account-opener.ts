import type { InternalClient } from '@tokone/http';
import type { AccountOpener } from './account-opener.js';
import { readOpenAnswer } from './opening-wire.js';

/** For the answer to come back after the wait. */
const GRACE_MS = 2_000;

/** Opens accounts through the account service. Its client's connections are kept busy while an account waits. */
export class HttpAccountOpener implements AccountOpener {
  constructor(private readonly client: InternalClient) {}

  open(accountIds: readonly string[], waitMs: number): Promise<ReadonlyMap<string, string | undefined>> {
    return this.client.call({ method: 'POST', path: '/internal/account/admission/open', body: { accountIds, waitMs }, deadlineMs: waitMs + GRACE_MS, read: readOpenAnswer });
  }
}
