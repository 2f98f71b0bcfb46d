import { SettingsError } from '@tokone/http';
import { StartupError, explainDatabaseFailure } from '@tokone/persistence';

/** For people: what they can mend is a sentence; anything else is ours, with its stack. */
export function writeStartFailure(error: unknown, name: string): string {
  return knownFailure(error) ?? `${name} could not start. This should not happen; please report it with these lines:\n${error instanceof Error ? error.stack : String(error)}`;
}

/** A sentence about what an operator can mend; undefined: it is nothing of that kind. */
export function knownFailure(error: unknown): string | undefined {
  const explained = explainDatabaseFailure(error);
  if (explained instanceof StartupError || explained instanceof SettingsError) return explained.message;
  const refused = connectionFailures(error);
  if (refused.length === 0) return undefined;
  const places = refused.map(({ where, code }) => `${where} (${code})`).join(' and ');
  return `Nothing answers at ${places}. Start the server that should, or correct its address in the settings; then start again.`;
}

interface ConnectionFailure {
  where: string;
  code: string;
}

/** As Node words them. A name with several addresses fails with an AggregateError that has one of each. */
function connectionFailures(error: unknown): ConnectionFailure[] {
  if (typeof error !== 'object' || error === null) return [];
  const { errors, syscall, code = '', address, port, hostname } = error as Partial<AggregateError> & NodeJS.ErrnoException & { address?: string; port?: number; hostname?: string };
  if (Array.isArray(errors)) return errors.flatMap(connectionFailures);
  if (syscall === 'getaddrinfo') return [{ where: hostname ?? 'that name', code }];
  return syscall === 'connect' ? [{ where: `${address}${port === undefined ? '' : `, port ${port}`}`, code }] : [];
}
