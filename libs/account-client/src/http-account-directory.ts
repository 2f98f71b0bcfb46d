import type { InternalClient } from '@tokone/http';
import type { AccountDirectory, GroupRecord, KeyRecord } from './account-directory.js';
import { readGroupsAnswer, readKeyAnswer, writeKeyQuestion } from './directory-wire.js';

const DEADLINE_MS = 2_000;

/** Keys and groups from the account service. Throws `InternalCallError` when it cannot be asked within 2 s. */
export class HttpAccountDirectory implements AccountDirectory {
  constructor(private readonly client: InternalClient) {}

  /** In the body and not in the path: paths end up in access logs. */
  findKey(digest: Buffer): Promise<KeyRecord | undefined> {
    return this.client.call({ method: 'POST', path: '/internal/account/keys/find', body: writeKeyQuestion(digest), deadlineMs: DEADLINE_MS, read: readKeyAnswer });
  }

  groups(): Promise<readonly GroupRecord[]> {
    return this.client.call({ method: 'GET', path: '/internal/account/groups', deadlineMs: DEADLINE_MS, read: readGroupsAnswer });
  }
}
