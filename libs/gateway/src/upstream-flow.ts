import type { RunningDispatch } from '@tokone/adapter-kit';

/** How long an upstream may go on after its answer is whole, so that its connection can serve again. */
const LINGER_MS = 5_000;

/** Whether one upstream is read: it stands still while there is any reason, and is let go of once its answer is whole. */
export class UpstreamFlow {
  private dispatch: RunningDispatch | undefined;
  private readonly reasons = { client: false, gate: false };
  private lingerTimer: NodeJS.Timeout | undefined;
  private ended = false;

  begin(dispatch: RunningDispatch): void {
    this.dispatch = dispatch;
    if (this.reasons.client || this.reasons.gate) dispatch.pause();
  }

  pause(reason: 'client' | 'gate', on: boolean): void {
    if (this.reasons[reason] === on) return;
    const before = this.reasons.client || this.reasons.gate;
    this.reasons[reason] = on;
    const after = this.reasons.client || this.reasons.gate;
    if (after === before) return;
    if (after) this.dispatch?.pause();
    else this.dispatch?.resume();
  }

  /** Read on, whatever the reasons were. */
  resume(): void {
    this.pause('client', false);
    this.pause('gate', false);
  }

  abort(): void {
    this.dispatch?.abort();
  }

  /** The upstream has ended by itself, well or not. */
  end(): void {
    this.ended = true;
    clearTimeout(this.lingerTimer);
  }

  /** The answer is whole: what the upstream still sends is read and dropped for a while, then its connection is closed. */
  linger(): void {
    this.resume();
    if (!this.ended) this.lingerTimer ??= setTimeout(() => this.abort(), LINGER_MS).unref();
  }
}
