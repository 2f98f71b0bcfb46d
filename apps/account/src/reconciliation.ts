import { HttpGatewayRecords, Reconciliation, ReconciliationService, ReconciliationStore } from '@tokone/account';
import type { AccountFeature } from '@tokone/account';
import { RedisAdmissionAudit } from '@tokone/admission';
import type { GatewayClients, RedisAccounts } from '@tokone/admission';
import { HttpOutbox, HttpRatedAudit } from '@tokone/billing-client';
import type { InternalClient } from '@tokone/http';
import type { Watermarks } from '@tokone/messaging';
import type { ServiceWorld } from '@tokone/service';

export interface ReconciliationDrivers {
  feature: AccountFeature;
  billing: InternalClient;
  accounts: RedisAccounts;
  clients: GatewayClients;
  watermarks: Watermarks;
}

/** Reconciliation over everything that the account service can ask, and begun. */
export function startReconciliation({ feature, billing, accounts, clients, watermarks }: ReconciliationDrivers, { parts, logger, now }: Pick<ServiceWorld, 'parts' | 'logger' | 'now'>): ReconciliationService {
  const { pool, ids } = feature.parts;
  const monotonicNow = (): number => performance.now();
  const outbox = new HttpOutbox(billing);
  const reconciliation = new Reconciliation({
    pool,
    rated: new HttpRatedAudit(billing),
    admission: new RedisAdmissionAudit(accounts),
    gateways: new HttpGatewayRecords(pool, clients),
    log: watermarks,
    rating: async (deadlineMs) => watermarks.usagePassed(await watermarks.usageEnd(), deadlineMs),
    settled: async (deadlineMs) => {
      const endMs = monotonicNow() + deadlineMs;
      if (!(await outbox.publishedSoFar(deadlineMs))) return false;
      // Taken when the outbox is empty: a charge that was in it stands before this end.
      const end = await watermarks.chargesEnd();
      return watermarks.chargesPassed(end, Math.max(0, Math.floor(endMs - monotonicNow())));
    },
    now,
    monotonicNow,
  });
  const service = new ReconciliationService({ reconciliation, store: new ReconciliationStore(pool), ids, logger, onReport: ({ checks }) => feature.metrics.reconciled(checks) });
  service.start();
  return parts.add('reconciliation', service, (opened) => opened.stop());
}
