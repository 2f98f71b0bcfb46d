/** What was in a log at the time of a `caughtUp` call was not handled within its deadline. Nothing is lost: it is still there. */
export class CatchUpError extends Error {
  override readonly name = 'CatchUpError';
}
