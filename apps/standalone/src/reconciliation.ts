import { Reconciliation, ReconciliationService, ReconciliationStore } from '@tokone/account';
import type { AccountFeature, LedgerService } from '@tokone/account';
import { MemoryAdmissionAudit } from '@tokone/admission';
import type { MemoryAdmission } from '@tokone/admission';
import type { Billing } from '@tokone/billing';
import { SpoolRecords } from '@tokone/gateway';
import type { Gateway } from '@tokone/gateway';
import { CatchUpError } from '@tokone/messaging';
import type { Consumption, TalliedEventLog } from '@tokone/messaging';
import type { OpenedParts } from '@tokone/service';
import type { Logger } from '@tokone/telemetry';

export interface ReconciliationDrivers {
  feature: AccountFeature;
  billing: Billing;
  ledger: LedgerService;
  admission: MemoryAdmission;
  gateway: Gateway;
  log: TalliedEventLog;
  rating: Consumption;
}

/** Reconciliation over the parts of this process, and begun. The spool itself is the log, so that there is no other to compare. */
export function startReconciliation({ feature, billing, ledger, admission, gateway, log, rating }: ReconciliationDrivers, { parts, logger }: { parts: OpenedParts; logger: Logger }): ReconciliationService {
  const { pool, ids } = feature.parts;
  const { spool, now, monotonicNow } = gateway.ports;
  const handled = { caughtUp: (deadlineMs: number) => rating.caughtUp(deadlineMs), get tallied() { return log.tallied; } };
  const records = new SpoolRecords({ spool, running: gateway.running, log: handled });
  const reconciliation = new Reconciliation({
    pool,
    rated: billing.ratedAudit,
    admission: new MemoryAdmissionAudit(admission),
    gateways: { reports: async (deadlineMs) => [await records.report(deadlineMs)] },
    log: undefined,
    rating: (deadlineMs) => inTime(rating.caughtUp(deadlineMs)),
    settled: (deadlineMs) => inTime(ledger.caughtUp(deadlineMs)),
    now,
    monotonicNow,
  });
  const service = new ReconciliationService({ reconciliation, store: new ReconciliationStore(pool), ids, logger, onReport: ({ checks }) => feature.metrics.reconciled(checks) });
  service.start();
  return parts.add('reconciliation', service, (opened) => opened.stop());
}

async function inTime(caughtUp: Promise<void>): Promise<boolean> {
  try {
    await caughtUp;
    return true;
  } catch (error) {
    if (error instanceof CatchUpError) return false;
    throw error;
  }
}
