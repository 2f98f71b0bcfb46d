import type { Provider, Type } from '@nestjs/common';
import type { Billing } from '../billing.js';
import { ChargeOutbox } from '../charge-outbox.js';
import { ChargeStatements } from '../charge-statement.js';
import { ParkedWaiver } from '../parked-waiver.js';
import { LocalPriceBook } from '../price-book.js';
import { LocalUsageQuery } from '../usage-query.js';
import { LocalRatedAudit } from '../local-rated-audit.js';
import { AuditController } from './audit.controller.js';
import { ChargesController } from './charges.controller.js';
import { OutboxController } from './outbox.controller.js';
import { PricesController } from './prices.controller.js';
import { UsageController } from './usage.controller.js';

/** What billing answers to the other services, for `internalModule`. */
export function billingInternal(billing: Pick<Billing, 'priceBook' | 'usageQuery' | 'chargeStatements' | 'waiver' | 'outbox' | 'ratedAudit'>): { controllers: Type[]; providers: Provider[] } {
  return {
    controllers: [PricesController, UsageController, ChargesController, OutboxController, AuditController],
    providers: [
      { provide: LocalPriceBook, useValue: billing.priceBook },
      { provide: LocalUsageQuery, useValue: billing.usageQuery },
      { provide: ChargeStatements, useValue: billing.chargeStatements },
      { provide: ParkedWaiver, useValue: billing.waiver },
      { provide: ChargeOutbox, useValue: billing.outbox },
      { provide: LocalRatedAudit, useValue: billing.ratedAudit },
    ],
  };
}
