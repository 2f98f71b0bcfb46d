import { Slots } from '@tokone/http';
import type { Exchange } from './exchange.js';

/** The exchanges of this process and the requests on their way to become one: what a drain waits for, and how many read on without a client. */
export class RunningExchanges {
  private readonly running = new Slots<Exchange>();
  private arriving = 0;
  private absent = 0;
  private waiters: (() => void)[] = [];

  get size(): number {
    return this.running.size;
  }

  /** For the metrics: an exchange that is read on for nobody is a running one, too. */
  get inflight(): { arriving: number; running: number; absent: number } {
    return { arriving: this.arriving, running: this.running.size, absent: this.absent };
  }

  /** Of the requests that have become exchanges. */
  ids(): Set<string> {
    return new Set(Array.from(this.running, ({ request }) => request.requestId));
  }

  add(exchange: Exchange): void {
    this.running.add(exchange);
  }

  delete(exchange: Exchange): void {
    this.running.delete(exchange);
    this.wakeWhenEmpty();
  }

  /** A request is being read and checked; `leave` follows when it has become an exchange, or was refused. */
  arrive(): void {
    this.arriving++;
  }

  leave(): void {
    this.arriving--;
    this.wakeWhenEmpty();
  }

  private wakeWhenEmpty(): void {
    if (!this.empty) return;
    for (const wake of this.waiters.splice(0)) wake();
  }

  /** False when too many answers are already read for nobody. */
  enterAbsence(max: number): boolean {
    if (this.absent >= max) return false;
    this.absent++;
    return true;
  }

  leaveAbsence(): void {
    this.absent--;
  }

  /** Waits until all have ended; after `graceMs` ends the rest with an error, and waits for that. */
  async drain(graceMs: number): Promise<void> {
    if (await this.ended(graceMs)) return;
    for (const exchange of [...this.running]) exchange.shutDown();
    await this.ended(5_000);
  }

  private get empty(): boolean {
    return this.running.size === 0 && this.arriving === 0;
  }

  private ended(withinMs: number): Promise<boolean> {
    if (this.empty) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), withinMs);
      this.waiters.push(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }
}
