import type { Logger } from '@tokone/telemetry';

/** Where billing reports. `error` is an alarm: someone must look, though no money is lost by waiting. */
export type BillingLog = Pick<Logger, 'info' | 'warn' | 'error'>;
