import type { FenceAnswer } from '@tokone/account-client';
import type { AccountMetrics } from '@tokone/telemetry';

/** Measures what gateways ask at the fence; a class so that Nest can hand it over. */
export class FenceMeter {
  constructor(private readonly metrics: Pick<AccountMetrics, 'fence'>) {}

  async timed(question: () => Promise<FenceAnswer>): Promise<FenceAnswer> {
    const startedAtMs = performance.now();
    let result: 'passed' | 'waiting' | 'failed' = 'failed';
    try {
      const answer = await question();
      result = answer.passed ? 'passed' : 'waiting';
      return answer;
    } finally {
      this.metrics.fence(result, performance.now() - startedAtMs);
    }
  }
}
