import { CatchUpError } from '@tokone/messaging';
import { StartupError, explainFolderFailure } from '@tokone/persistence';
import { SpoolError } from '@tokone/spool';

/** What an operator can remove as a sentence; a fault of our own keeps its stack. */
export function explainStartFailure(error: unknown, dataFolder: string): unknown {
  if (error instanceof SpoolError) return new StartupError(error.message, { cause: error });
  if (error instanceof CatchUpError) {
    const why = `What was served before is not posted yet: ${error.message}.`;
    return new StartupError(`${why} Nothing of it is lost; the lines above name the reason, if there is one. Start again: it goes on where it ended.`, { cause: error });
  }
  const network = error instanceof Error && 'syscall' in error && error.syscall === 'connect';
  return network ? error : explainFolderFailure(error, dataFolder);
}
