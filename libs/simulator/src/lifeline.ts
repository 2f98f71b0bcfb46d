/** Ends a process some time after its parent is gone, unless another process keeps it alive by renewing. */
export class Lifeline {
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly orphanExitMs: number,
    private readonly exit: () => void,
  ) {}

  /** The parent's end of standard input is closed: the countdown begins. */
  orphaned(): void {
    this.timer ??= setTimeout(this.exit, this.orphanExitMs);
  }

  /** Begins the countdown anew; without effect while the parent lives. */
  renew(): void {
    this.timer?.refresh();
  }

  close(): void {
    clearTimeout(this.timer);
  }
}
