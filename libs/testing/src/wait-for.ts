export interface WaitOptions {
  /** What is waited for: ends the sentence "waited … ms for". */
  what: string;
  deadlineMs: number;
  intervalMs?: number;
}

/** Asks again and again until the answer is neither undefined nor false; throws when the deadline passes. */
export async function waitFor<Answer>(ask: () => Answer | Promise<Answer>, { what, deadlineMs, intervalMs = 25 }: WaitOptions): Promise<NonNullable<Exclude<Answer, false>>> {
  const startedAtMs = performance.now();
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== null && answer !== false) return answer as NonNullable<Exclude<Answer, false>>;
    if (performance.now() - startedAtMs > deadlineMs) throw new Error(`waited ${deadlineMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}
