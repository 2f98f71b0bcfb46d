import type { Admission } from '@tokone/admission';
import { SPOOL_RECORD } from '@tokone/events';
import { GatewayError } from '@tokone/protocol';
import type { Spool } from '@tokone/spool';
import type { HoldWatch } from './hold-watch.js';

export interface HoldKeeperOptions {
  watch: HoldWatch;
  accountId: string;
  requestId: string;
  admission: Admission;
  spool: Spool;
  /** Milliseconds. */
  now: () => number;
  /** Output tokens read so far. */
  tokens: () => number;
  /** The watch pays for more than before. */
  onPaid: () => void;
  /** The balance refused: nothing more may go out. */
  onExhausted: () => void;
  /** The balance cannot be asked, or the extension not be recorded. */
  onTrouble: (error: GatewayError) => void;
}

/** An extension that gets no answer is asked for again until then. */
const EXTEND_DEADLINE_MS = 5_000;
const EXTEND_RETRY_MS = 250;

/** Keeps the hold of one stream ahead of its output: asks for extensions, and records each before its tokens go out. */
export class HoldKeeper {
  private ended = false;

  constructor(private readonly options: HoldKeeperOptions) {}

  /** More output has been read. */
  keepAhead(): void {
    if (this.ended) return;
    const verdict = this.options.watch.judge(this.options.tokens());
    if (verdict === 'extend') void this.extend();
    else if (verdict === 'exhausted') this.options.onExhausted();
  }

  /** Nothing is asked for any more. */
  end(): void {
    this.ended = true;
  }

  private async extend(): Promise<void> {
    const { watch, admission, accountId, requestId, now, onTrouble } = this.options;
    watch.ask();
    const giveUpAtMs = now() + EXTEND_DEADLINE_MS;
    for (;;) {
      try {
        const { addedNanoUsd } = await admission.extend(accountId, requestId, watch.stepNanoUsd);
        return this.record(addedNanoUsd);
      } catch (cause) {
        if (this.ended) return;
        if (now() >= giveUpAtMs) {
          return onTrouble(new GatewayError('admission_unavailable', 'The balance cannot be checked, so this answer ends here. Send the request again.', { cause }));
        }
        await new Promise((resolve) => setTimeout(resolve, EXTEND_RETRY_MS));
      }
    }
  }

  private record(addedNanoUsd: bigint): void {
    if (this.ended) return;
    const { watch, spool, requestId } = this.options;
    try {
      if (addedNanoUsd > 0n) spool.append(SPOOL_RECORD.extend, requestId, `{"holdNanoUsd":"${watch.held + addedNanoUsd}"}`);
      spool.written({ spooled: (error) => this.recorded(addedNanoUsd, error) });
    } catch (error) {
      this.recorded(addedNanoUsd, error);
    }
  }

  private recorded(addedNanoUsd: bigint, error: unknown): void {
    if (this.ended) return;
    const { watch, onPaid, onTrouble } = this.options;
    if (error !== undefined && error !== null) {
      return onTrouble(new GatewayError('spool_unavailable', 'The usage of this answer could not be recorded, so it ends here.', { cause: error }));
    }
    watch.extended(addedNanoUsd);
    onPaid();
    this.keepAhead();
  }
}
