import type { SpoolRecordsParts } from '@tokone/gateway';
import type { UsageShipper } from '@tokone/messaging';

/** What was shipped, for listeners that open before anything is. */
export class ShippedLog {
  shipper: UsageShipper | undefined;

  get tallied(): SpoolRecordsParts['log']['tallied'] {
    return this.shipper?.tallied;
  }

  /** Rejects while nothing is shipped yet. */
  async caughtUp(deadlineMs: number): Promise<void> {
    if (this.shipper === undefined) throw new Error('the gateway starts');
    await this.shipper.caughtUp(deadlineMs);
  }
}
