import { InternalCallError } from '@tokone/http';
import type { InternalClient } from '@tokone/http';
import { z } from 'zod';

const answer = z.object({ published: z.boolean() });

/** Billing's outbox, as the fence of admission needs it. */
export class HttpOutbox {
  constructor(private readonly client: InternalClient) {}

  /**
   * True: every charge that was in the outbox when billing was asked stands in `charge.rated`. False: that did not
   * come true in time. @throws InternalCallError when billing cannot be asked.
   */
  async publishedSoFar(deadlineMs: number): Promise<boolean> {
    try {
      return await this.client.call({ method: 'POST', path: '/internal/billing/outbox/published', deadlineMs, read: (json) => answer.parse(json).published });
    } catch (error) {
      if (error instanceof InternalCallError && error.failure === 'timeout') return false;
      throw error;
    }
  }
}
