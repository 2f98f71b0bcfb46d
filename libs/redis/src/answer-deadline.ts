export interface AnswerDeadlineOptions {
  deadlineMs: number;
  /** Milliseconds, monotonic. */
  now: () => number;
}

/** A timer that is so late was not late by load. */
const STOOD_STILL_MS = 500;

interface Waiting {
  dueAtMs: number;
  done: boolean;
  expire: () => void;
  /** Settles with the answer, whatever it is, or at the deadline. */
  ended: Promise<unknown>;
}

/**
 * One deadline for many answers, with one timer: they fall due in the order in which they were asked for. An answer
 * that lies in the socket is not late: after a pause of this process the timer fires first, so the sockets are read
 * once before anything is given up. What was asked for just before a long pause may not even have left: everything gets
 * its deadline once more.
 */
export class AnswerDeadline {
  private waiting: Waiting[] = [];
  private first = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: AnswerDeadlineOptions) {}

  /** @throws an Error when `answer` takes longer; it is then let go. */
  within<Answer>(answer: Promise<Answer>): Promise<Answer> {
    const { deadlineMs, now } = this.options;
    return new Promise<Answer>((resolve, reject) => {
      const expire = (): void => reject(new Error(`no answer within ${deadlineMs} ms`));
      const waiting: Waiting = { dueAtMs: now() + deadlineMs, done: false, expire, ended: Promise.resolve() };
      waiting.ended = answer.then(resolve, reject).then(() => {
        waiting.done = true;
        this.forgetDone();
      });
      this.waiting.push(waiting);
      this.timer ??= setTimeout(() => this.fire(), deadlineMs);
    });
  }

  /** Resolves when all that is asked for now has ended, or is past its deadline. */
  async settled(): Promise<void> {
    const expired = this.waiting.slice(this.first).map((waiting) => {
      const { expire } = waiting;
      const late = new Promise<void>((resolve) => {
        waiting.expire = () => {
          expire();
          resolve();
        };
      });
      return Promise.race([waiting.ended, late]);
    });
    await Promise.all(expired);
  }

  private fire(): void {
    // After the timers of this turn come the sockets, and then this.
    setImmediate(() => {
      const { now, deadlineMs } = this.options;
      const nowMs = now();
      this.forgetDone();
      const stoodStill = nowMs - (this.waiting[this.first]?.dueAtMs ?? nowMs) > STOOD_STILL_MS;
      if (stoodStill) for (const waiting of this.waiting) waiting.dueAtMs = Math.max(waiting.dueAtMs, nowMs + deadlineMs);
      for (let head = this.waiting[this.first]; head && (head.done || head.dueAtMs <= nowMs); head = this.waiting[this.first]) {
        if (!head.done) head.expire();
        this.first++;
      }
      this.compact();
      // Who asked in between has set a timer for itself, which may be later than what is due next.
      clearTimeout(this.timer);
      const next = this.waiting[this.first];
      this.timer = next && setTimeout(() => this.fire(), Math.max(1, next.dueAtMs - nowMs));
    });
  }

  private forgetDone(): void {
    while (this.waiting[this.first]?.done) this.first++;
    this.compact();
    if (this.first < this.waiting.length || this.timer === undefined) return;
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private compact(): void {
    if (this.first < 1_000 && this.first < this.waiting.length) return;
    this.waiting.splice(0, this.first);
    this.first = 0;
  }
}
