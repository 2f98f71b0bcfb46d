import { setTimeout as pause } from 'node:timers/promises';

/** Waits for work whose outcome does not matter any more, and not longer than this. */
export async function atMost(timeMs: number, work: Promise<unknown>): Promise<void> {
  const over = new AbortController();
  const late = pause(timeMs, undefined, { signal: over.signal }).catch(() => undefined);
  await Promise.race([work.catch(() => undefined), late]);
  over.abort();
}

/** The work's outcome, or a rejection with the signal's reason if that comes first; the work is left to itself then. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
  });
  return Promise.race([work, aborted]).finally(() => signal.removeEventListener('abort', stop));
}

/** Answers all who ask while an answer is on its way with that one. */
export function shared<Answer>(ask: () => Promise<Answer>): () => Promise<Answer> {
  let asked: Promise<Answer> | undefined;
  return () => (asked ??= ask().finally(() => (asked = undefined)));
}
