import { InternalCallError } from '@tokone/http';
import type { InternalClient } from '@tokone/http';
import type { UsageQuery, UsageQueryRange, UsageReport } from './usage-query.js';
import { BAD_RANGE, readUsageReport, writeUsageQuestion } from './usage-wire.js';

/** The port's. */
const DEADLINE_MS = 2_000;

/** What a key has used, from the billing service. */
export class HttpUsageQuery implements UsageQuery {
  constructor(private readonly client: InternalClient) {}

  /** @throws RangeError with a sentence for a range that is not one. @throws InternalCallError */
  async ofKey(keyId: string, range: UsageQueryRange): Promise<UsageReport> {
    const body = writeUsageQuestion(keyId, range);
    try {
      return await this.client.call({ method: 'POST', path: '/internal/billing/usage', body, deadlineMs: DEADLINE_MS, read: readUsageReport });
    } catch (error) {
      if (error instanceof InternalCallError && error.code === BAD_RANGE) throw new RangeError(error.message, { cause: error });
      throw error;
    }
  }
}
