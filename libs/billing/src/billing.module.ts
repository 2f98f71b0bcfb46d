import { Module } from '@nestjs/common';
import type { DynamicModule, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import type { EventLog } from '@tokone/messaging';
import { Billing, openBilling } from './billing.js';
import type { BillingOptions } from './billing.js';
import { ChargeStatements } from './charge-statement.js';
import { OutboxChargeLog } from './outbox-charge-log.js';
import { LocalPriceBook } from './price-book.js';
import { LocalUsageQuery } from './usage-query.js';

export interface BillingModuleOptions extends BillingOptions {
  /** Where `usage.recorded` comes from. Without it nothing is rated until `Billing.startRating` is called. */
  eventLog?: EventLog;
}

/** Opens billing with the application and closes it with it. Exports its parts for the composition root to hand on. */
@Module({})
export class BillingModule {
  static with(options: BillingModuleOptions): DynamicModule {
    const parts = [
      { provide: LocalPriceBook, useFactory: (billing: Billing) => billing.priceBook, inject: [Billing] },
      { provide: LocalUsageQuery, useFactory: (billing: Billing) => billing.usageQuery, inject: [Billing] },
      { provide: OutboxChargeLog, useFactory: (billing: Billing) => billing.chargeLog, inject: [Billing] },
      { provide: ChargeStatements, useFactory: (billing: Billing) => billing.chargeStatements, inject: [Billing] },
    ];
    const life = { provide: BillingLife, useFactory: (billing: Billing) => new BillingLife(billing, options.eventLog), inject: [Billing] };
    return {
      module: BillingModule,
      providers: [{ provide: Billing, useFactory: () => openBilling(options) }, life, ...parts],
      exports: [Billing, LocalPriceBook, LocalUsageQuery, OutboxChargeLog, ChargeStatements],
    };
  }
}

/**
 * Ties billing to the life of the application: an instance made by a factory has no hooks of its own. It stops in the
 * last phase of the shutdown, after those who read its outbox.
 */
class BillingLife implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(
    private readonly billing: Billing,
    private readonly eventLog: EventLog | undefined,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    if (this.eventLog) await this.billing.startRating(this.eventLog);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.billing.stop();
  }
}
