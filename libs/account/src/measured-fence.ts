import type { AccountMetrics } from '@tokone/telemetry';
import type { FenceAnswer, LedgerFence } from './ledger-fence.js';

/** A fence whose passages are measured. */
export class MeasuredFence {
  constructor(
    private readonly fence: Pick<LedgerFence, 'pass'>,
    private readonly metrics: Pick<AccountMetrics, 'fence'>,
  ) {}

  async pass(deadlineMs: number): Promise<FenceAnswer> {
    const startedAtMs = performance.now();
    let result: 'passed' | 'waiting' | 'failed' = 'failed';
    try {
      const answer = await this.fence.pass(deadlineMs);
      result = answer.passed ? 'passed' : 'waiting';
      return answer;
    } finally {
      this.metrics.fence(result, performance.now() - startedAtMs);
    }
  }
}
