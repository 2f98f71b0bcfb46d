import { Slots } from './slots.js';
import type { Slotted } from './slots.js';

/** Something that must show life within `idleTimeoutMs` of its last `touch`. */
export interface Watched extends Slotted {
  /** Tick by which it counts as silent; kept by the watch. */
  silentAtTick: number;
  /** Called once, and only while it is watched. */
  timedOut(): void;
}

const TICK_MS = 250;

/**
 * Deadlines of many running requests on one timer. Arming one is a store into the object itself: a timer for each head
 * and each read of an answer would outlive the request in the driver's own list and keep the collector busy with it.
 * A deadline is met late by up to two ticks, never early.
 */
export class IdleWatch {
  private readonly watched = new Slots<Watched>();
  private timer: NodeJS.Timeout | undefined;
  private tick = 0;

  add(item: Watched, timeoutMs: number): void {
    this.touch(item, timeoutMs);
    this.watched.add(item);
    this.timer ??= setInterval(() => this.advance(), TICK_MS).unref();
  }

  /** It showed life: counts anew. */
  touch(item: Watched, timeoutMs: number): void {
    item.silentAtTick = this.tick + 1 + Math.ceil(timeoutMs / TICK_MS);
  }

  /** It may be silent for as long as it likes, until the next `touch`. */
  suspend(item: Watched): void {
    item.silentAtTick = Number.POSITIVE_INFINITY;
  }

  delete(item: Watched): void {
    this.watched.delete(item);
  }

  close(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.watched.clear();
  }

  private advance(): void {
    this.tick++;
    for (const item of this.watched) {
      if (item.silentAtTick > this.tick) continue;
      this.watched.delete(item);
      item.timedOut();
    }
    if (this.watched.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }
}
