import { randomUUID } from 'node:crypto';

/**
 * UUIDv7 (RFC 9562 §5.7), strictly increasing within the process: 48 bits of milliseconds, a 12-bit counter, and
 * random bits of `randomUUID`. A clock that steps back keeps the last millisecond; an overflowing counter borrows
 * the next one.
 */
export class Uuid7Source {
  private lastMs = -1;
  private counter = 0;
  private prefix = '';

  constructor(private readonly now: () => number) {}

  next(): string {
    const nowMs = this.now();
    if (nowMs > this.lastMs) this.enter(nowMs);
    else if (++this.counter > 0xfff) this.enter(this.lastMs + 1);
    return this.prefix + COUNTER_GROUP[this.counter] + randomUUID().slice(18);
  }

  private enter(ms: number): void {
    this.lastMs = ms;
    this.counter = 0;
    const hex = ms.toString(16).padStart(12, '0');
    this.prefix = `${hex.slice(0, 8)}-${hex.slice(8)}-`;
  }
}

const COUNTER_GROUP = Array.from({ length: 0x1000 }, (_, count) => `7${count.toString(16).padStart(3, '0')}`);

/** Milliseconds since 1970 that a UUIDv7 carries. */
export function uuid7Ms(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}
