import type { Admission, AdmissionPosting } from './admission.js';
import type { GatewayTarget, GatewayTargets } from './gateway-targets.js';
import { MOST_POSTINGS, writePostings } from './posting-wire.js';

export interface HttpAdmissionPostsOptions {
  targets: GatewayTargets;
  /** Milliseconds, monotonic. */
  now: () => number;
  /** For one message; default 1 s. */
  deadlineMs?: number;
  /** Most postings that wait; beyond it a posting fails at once. Default 100,000. */
  maxWaiting?: number;
}

interface WaitingPosting {
  posting: AdmissionPosting;
  taken: () => void;
  failed: (reason: Error) => void;
}

const DEADLINE_MS = 1_000;
const MAX_WAITING = 100_000;
/** A gateway that did not answer is not waited for by every posting of the next moment. */
const REST_MS = 1_000;

/**
 * Tells the gateways' own admissions what the ledger posted. Postings that come together go in one message per gateway.
 * A posting fails when a gateway that counts as alive did not take it, and the sweeper repeats it then. Where no gateway
 * is alive there is nobody to tell: the next one reads its balances from the ledger, behind the fence.
 */
export class HttpAdmissionPosts implements Pick<Admission, 'post'> {
  private readonly waiting: WaitingPosting[] = [];
  private sending = false;

  constructor(private readonly options: HttpAdmissionPostsOptions) {}

  post(posting: AdmissionPosting): Promise<void> {
    const { maxWaiting = MAX_WAITING } = this.options;
    if (this.waiting.length >= maxWaiting) return Promise.reject(new Error(`${maxWaiting} postings wait for the gateways already`));
    return new Promise((taken, failed) => {
      this.waiting.push({ posting, taken, failed });
      if (!this.sending) void this.sendAll();
    });
  }

  private async sendAll(): Promise<void> {
    this.sending = true;
    // Whoever posts in the same turn of the event loop comes along.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, MOST_POSTINGS);
      try {
        await this.send(batch.map(({ posting }) => posting));
        for (const { taken } of batch) taken();
      } catch (error) {
        for (const { failed } of batch) failed(error as Error);
      }
    }
    // In the same step as the last look at what waits: a posting that comes next must find nobody at work.
    this.sending = false;
  }

  /** @throws an Error when one of the gateways did not take it. */
  private async send(postings: readonly AdmissionPosting[]): Promise<void> {
    const targets = await this.options.targets.current();
    const body = writePostings(postings);
    const results = await Promise.allSettled(targets.map((target) => this.tell(target, body)));
    const failure = results.find((result) => result.status === 'rejected');
    if (failure) throw new Error('a gateway did not take what the ledger posted', { cause: failure.reason });
  }

  private async tell(target: GatewayTarget, body: object): Promise<void> {
    if (this.options.now() < target.restUntilMs) throw new Error(`the gateway at ${target.url} did not answer a moment ago`);
    try {
      const { deadlineMs = DEADLINE_MS } = this.options;
      await target.client.call({ method: 'POST', path: '/internal/gateway/admission/post', body, deadlineMs, read: (json) => json });
    } catch (error) {
      target.restUntilMs = this.options.now() + REST_MS;
      throw error;
    }
  }
}
