/** For a part that does not end: whoever stops a service kills it after a minute, without a word. */
const LONGEST_STOP_MS = 58_000;
/**
 * Most that running answers may be given of that minute. The rest: 2 s for what is still being written, 10 s for the
 * last shipment of the spool, 5 s for the other listeners and connections, and, at the supervisor, the other services
 * and the servers.
 */
export const LONGEST_DRAIN_SECONDS = 35;

/** Aborts at the first of them; any number of further ones change nothing. SIGHUP: the terminal was closed. */
export function watchStopSignals(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
  stop.signal.addEventListener('abort', () => setTimeout(giveUp, LONGEST_STOP_MS).unref());
  // Nobody reads any more: no reason to leave PostgreSQL behind.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  return stop.signal;
}

export function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => (signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve())));
}

function giveUp(): void {
  process.stderr.write('TokOne could not stop in order within a minute and ends now. The next start recovers what is left.\n');
  process.exit(1);
}
