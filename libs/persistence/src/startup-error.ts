/**
 * A reason why the process cannot start that the operator can remove. The message is a whole sentence that says what
 * to do; mains print it alone, without a stack.
 */
export class StartupError extends Error {
  override readonly name = 'StartupError';
}

/**
 * Turns a refusal by the file system into a StartupError about `folder`. Anything else is returned as it came, so that
 * a fault of our own keeps its stack.
 */
export function explainFolderFailure(error: unknown, folder: string): unknown {
  switch (errorCode(error)) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new StartupError(
        `TokOne may not write to ${folder}: run it as the user who owns this folder, or set TOKONE_DATA_DIR to a folder that you may write to.`,
        { cause: error },
      );
    case 'ENOSPC':
    case 'EDQUOT':
      return diskFull(folder, error);
    case 'ENOTDIR':
    case 'EEXIST':
      return new StartupError(
        `${folder} cannot be the data folder because a file stands in its way: remove that file, or set TOKONE_DATA_DIR to a folder.`,
        { cause: error },
      );
    case 'ENOENT':
    case 'ENAMETOOLONG':
    case 'ELOOP':
      // Where a folder can be made at all, making its parents too never ends with ENOENT: that is /proc and the like.
      if (!isFailureOfMkdir(error)) return error;
      return new StartupError(`${folder} cannot be made: set TOKONE_DATA_DIR to a folder on an ordinary disk.`, { cause: error });
    default:
      return error;
  }
}

function isFailureOfMkdir(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && error.syscall === 'mkdir';
}

export function diskFull(folder: string, cause?: unknown): StartupError {
  return new StartupError(
    `The disk that holds ${folder} is full: free at least 200 MB, or set TOKONE_DATA_DIR to a folder on another disk.`,
    { cause },
  );
}

export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
