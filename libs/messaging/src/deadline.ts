/** The result of `work`, or an error with this sentence when the time is over first. `work` itself goes on. */
export async function withDeadline<Result>(work: Promise<Result>, deadlineMs: number, sentence: string): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(sentence)), deadlineMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * One piece of work at a time, each with a deadline, also when one that was given up still goes on: the next one waits
 * for it, within its own deadline, so that nothing piles up behind a partner that is away.
 */
export class OneAtATime {
  private running: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly deadlineMs: number,
    /** Ends the sentence "not within … ms: ". */
    private readonly what: string,
  ) {}

  async run(work: () => Promise<void>): Promise<void> {
    let givenUp = false;
    const inTurn = this.running.then(() => {
      if (givenUp) return;
      const begun = work();
      this.running = begun.catch(() => undefined);
      return begun;
    });
    try {
      await withDeadline(inTurn, this.deadlineMs, `not within ${this.deadlineMs} ms: ${this.what}`);
    } finally {
      givenUp = true;
    }
  }
}
