/**
 * Wakes the readers of the outbox in this process as soon as the consumer has committed a row. Only a shortcut:
 * readers also look by themselves, so a lost wake-up costs a second, never a charge.
 */
export class OutboxSignal {
  private count = 0;
  private readonly waiting = new Set<() => void>();

  /** How often it has been given. Read before looking into the table, handed to `wait` after. */
  get given(): number {
    return this.count;
  }

  notify(): void {
    this.count += 1;
    for (const wake of [...this.waiting]) wake();
  }

  /** Resolves when the signal has been given since `seen`, or after `timeoutMs`, or when `stop` aborts. */
  async wait(seen: number, timeoutMs: number, stop: AbortSignal): Promise<void> {
    if (this.count !== seen || stop.aborted) return;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.waiting.delete(wake);
        stop.removeEventListener('abort', wake);
        resolve();
      };
      const timer = setTimeout(wake, timeoutMs);
      this.waiting.add(wake);
      stop.addEventListener('abort', wake);
    });
  }
}
