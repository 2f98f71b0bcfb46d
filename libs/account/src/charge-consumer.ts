import type { Admission } from '@tokone/admission';
import type { RatedCharge } from '@tokone/events';
import type { ChargeLog, Consumption } from '@tokone/messaging';
import { BatchSpans } from '@tokone/telemetry';
import type { Tracing } from '@tokone/telemetry';
import type { RaiseAlarm } from './account-alarm.js';
import { pushBalances } from './balance-push.js';
import type { ChargePosting } from './posting.js';

/**
 * charge.rated → ledger → admission.
 *
 * Delivery: the log hands a batch over at least once; posting is once per charge id for ever; the push to admission
 * is tried once per delivery and repeated by the sweeper. An error of the database makes the log repeat the batch.
 */
export class ChargeConsumer {
  private consumption: Consumption | undefined;

  constructor(
    private readonly log: ChargeLog,
    private readonly posting: ChargePosting,
    private readonly admission: Pick<Admission, 'post'>,
    private readonly told: { raiseAlarm: RaiseAlarm; tracing: Tracing },
  ) {}

  async start(): Promise<void> {
    this.consumption ??= await this.log.consume((charges) => this.handle(charges));
  }

  /** Resolves when all charges that were in the log at the time of the call are posted; rejects after `deadlineMs`. */
  async caughtUp(deadlineMs: number): Promise<void> {
    if (this.consumption === undefined) throw new Error('the charge consumer was not started');
    await this.consumption.caughtUp(deadlineMs);
  }

  /** Finishes the running batch. */
  async stop(): Promise<void> {
    const consumption = this.consumption;
    this.consumption = undefined;
    await consumption?.stop();
  }

  private async handle(charges: readonly RatedCharge[]): Promise<void> {
    const requests = (): Iterable<readonly [string, string | undefined]> => charges.map(({ id, traceparent }) => [id, traceparent] as const);
    const spans = BatchSpans.start(this.told.tracing, requests, { name: 'post charge', kind: 'consumer', attributes: { messagingOperation: 'process', messagingDestination: 'charge.rated', batchMessages: charges.length } });
    const { accounts } = await spans.around(() => this.posting.post(charges));
    const postings = accounts.map(({ accountId, seq, balanceNanoUsd, chargeIds }) => ({
      accountId,
      seq,
      balanceNanoUsd,
      requestIds: chargeIds,
    }));
    await pushBalances(this.admission, postings, this.told.raiseAlarm);
  }
}
