import type { ClientCall } from '../crash/client-call.js';
import type { Outage } from './process-state.js';

export interface Excuse extends Outage {
  /** Whether the fault may end a call in this way. */
  of: (call: ClientCall) => boolean;
}

/** The connection was lost, without or in the middle of an answer. */
export function isBroken({ status, ended }: ClientCall): boolean {
  return ended === 'broken' && (status === undefined || status === 200);
}

/** A gateway that starts or stops, or whose spool is full, says so. */
export function isTurnedAway({ status, sawError, ended }: ClientCall): boolean {
  return status === 503 && sawError && ended === 'clean';
}

/** Sentences for the calls whose clients did not see a whole answer, and whom no fault excuses that was there at their time. */
export function findInexcusable(calls: readonly ClientCall[], excuses: readonly Excuse[]): string[] {
  const failed = calls.filter((call) => !call.sawEnd);
  const inexcusable = failed.filter((call) => !excuses.some(({ fromMs, toMs, of }) => call.startedAtMs <= toMs && call.endedAtMs >= fromMs && of(call)));
  return inexcusable.map((call) => {
    const { plan, status, ended, sawError, bytes, refusal } = call;
    const times = `${Math.round(call.startedAtMs)} to ${Math.round(call.endedAtMs)} ms`;
    return `${plan.tag} (${plan.dialect.name}${plan.streamed ? ' stream' : ''}, ${call.requestId}, ${times}): status ${status}, ${ended}, error ${sawError}, ${bytes} bytes, ${refusal ?? ''}`;
  });
}
