/**
 * One cell for each second: the running one, and the 60 before it. Whatever two requests are less than 60 s apart, both
 * are in one window, wherever in their seconds they fell; sixty cells would let them be 59 s apart.
 */
export const WINDOW_SECONDS = 61;

/**
 * What was counted in the last minute, by the second. A clock that goes back a little stands still here; one that goes
 * back by more than is kept begins anew, instead of being waited for.
 */
export class MinuteWindow {
  /** Of all cells. */
  total = 0;
  private readonly cells = new Float64Array(WINDOW_SECONDS);
  private second = Number.NEGATIVE_INFINITY;

  /** Forgets what is too old by now. Returns the second in which it counts. */
  moveTo(nowMs: number): number {
    const second = Math.floor(nowMs / 1000);
    if (Math.abs(second - this.second) >= WINDOW_SECONDS) {
      this.cells.fill(0);
      this.total = 0;
      this.second = second;
    }
    while (this.second < second) {
      this.second++;
      this.total -= this.take(this.second);
    }
    return this.second;
  }

  add(amount: number): void {
    this.total += amount;
    this.put(this.second, amount);
  }

  /**
   * What was counted in a second was `by` more, or less. Of one that is too old, what was more counts now: else an answer
   * that takes longer than a minute could use what it likes.
   */
  correct(second: number, by: number): void {
    if (second > this.second || this.second - second >= WINDOW_SECONDS) return this.add(Math.max(0, by));
    const before = this.cells[cellOf(second)] ?? 0;
    const change = Math.max(by, -before);
    this.total += change;
    this.put(second, change);
  }

  /** Until so much of what is counted is too old. When there is not so much, until all is. */
  waitMs(leaving: number, nowMs: number): number {
    const oldest = this.second - WINDOW_SECONDS + 1;
    let left = leaving;
    let second = oldest;
    for (; second < this.second; second++) {
      left -= this.cells[cellOf(second)] ?? 0;
      if (left <= 0) break;
    }
    return Math.ceil((second + WINDOW_SECONDS) * 1000 - nowMs);
  }

  private put(second: number, amount: number): void {
    this.cells[cellOf(second)] = (this.cells[cellOf(second)] ?? 0) + amount;
  }

  private take(second: number): number {
    const amount = this.cells[cellOf(second)] ?? 0;
    this.cells[cellOf(second)] = 0;
    return amount;
  }
}

function cellOf(second: number): number {
  return ((second % WINDOW_SECONDS) + WINDOW_SECONDS) % WINDOW_SECONDS;
}
