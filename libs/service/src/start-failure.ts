import { SettingsError } from '@tokone/http';
import { StartupError } from '@tokone/persistence';

/** For people: what they can mend is a sentence; anything else is ours, with its stack. */
export function writeStartFailure(error: unknown, name: string): string {
  if (error instanceof StartupError || error instanceof SettingsError) return error.message;
  return `${name} could not start. This should not happen; please report it with these lines:\n${error instanceof Error ? error.stack : String(error)}`;
}
