import type { Admission } from '@tokone/admission';
import type { ChargeLog } from '@tokone/messaging';
import { noTracing } from '@tokone/telemetry';
import type { Tracing } from '@tokone/telemetry';
import type { AccountFeature } from './account-feature.js';
import { BalanceSweeper } from './balance-sweeper.js';
import type { AdmissionView } from './balance-sweeper.js';
import { ChargeConsumer } from './charge-consumer.js';
import { ChargePosting } from './posting.js';
import { TopUps } from './top-ups.js';

export interface LedgerServiceParts {
  feature: AccountFeature;
  admission: Pick<Admission, 'post'>;
  view: AdmissionView;
  charges: ChargeLog;
  /** Default: nothing is recorded. */
  tracing?: Tracing;
  sweepIntervalMs?: number;
}

/** The ledger at work: posts charges, takes top-ups, keeps admission in step. Owner: start and stop. */
export class LedgerService {
  readonly topUps: TopUps;
  private readonly consumer: ChargeConsumer;
  readonly sweeper: BalanceSweeper;

  constructor({ feature, admission, view, charges, tracing = noTracing, sweepIntervalMs }: LedgerServiceParts) {
    const { pool, raiseAlarm } = feature.parts;
    this.sweeper = new BalanceSweeper({ pool, view, admission, raiseAlarm, metrics: feature.metrics, ...(sweepIntervalMs !== undefined && { intervalMs: sweepIntervalMs }) });
    this.topUps = new TopUps(pool, admission, this.sweeper.raiseAlarm);
    this.consumer = new ChargeConsumer(charges, new ChargePosting(pool, raiseAlarm, feature.metrics), admission, { raiseAlarm: this.sweeper.raiseAlarm, tracing });
  }

  async start(): Promise<void> {
    await this.consumer.start();
    this.sweeper.start();
  }

  /** Resolves when every charge that was in the log at the time of the call is posted; rejects after `deadlineMs`. */
  async caughtUp(deadlineMs: number): Promise<void> {
    await this.consumer.caughtUp(deadlineMs);
  }

  /** Finishes the running batch and the running sweep. */
  async stop(): Promise<void> {
    await Promise.all([this.consumer.stop(), this.sweeper.stop()]);
  }
}
