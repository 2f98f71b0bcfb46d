/** A pause that one side can end early. A call that comes before the pause ends the next one. */
export class WakeUp {
  private called = false;
  private end: (() => void) | undefined;

  call(): void {
    this.called = true;
    this.end?.();
  }

  /** Resolves when it is called, or after the time if there is one. */
  async pause(timeMs?: number): Promise<void> {
    if (!this.called) {
      await new Promise<void>((resolve) => {
        const timer = timeMs === undefined ? undefined : setTimeout(resolve, timeMs);
        this.end = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.end = undefined;
    }
    this.called = false;
  }
}
