import { StartupError, errorCode } from './startup-error.js';

const ADDRESS = 'Correct the address in the setting that names the database.';

/** How the SQLSTATE begins → what to do. https://www.postgresql.org/docs/current/errcodes-appendix.html */
const CURES: readonly (readonly [string, string])[] = [
  ['28', 'Correct user and password in the setting that names the database. Those of the services are made by migrate.'],
  ['3D000', 'Create that database, or correct its name in the setting that names it.'],
  ['42P01', 'Run migrate of this version first.'],
  ['42703', 'Run migrate of this version first.'],
  ['3F000', 'Run migrate of this version first.'],
  ['42501', 'A service needs the role that migrate made for it; migrate itself needs one that owns the database and may make roles.'],
  ['53', 'Give the database server more of what it lacks, or lower what is asked of it; then start again.'],
  ['57P0', 'Start again when it is up.'],
  ['57014', 'It is overloaded, or something holds a lock for long: see pg_stat_activity, then start again.'],
  ['55P03', 'It is overloaded, or something holds a lock for long: see pg_stat_activity, then start again.'],
  ['25006', `It is a standby: promote it. Or: ${ADDRESS.toLowerCase()}`],
];

/** What `pg` says without a code, before a server has said anything → what to do. */
const CURES_OF_CONNECTIONS: readonly (readonly [RegExp, string])[] = [
  [/timeout exceeded when trying to connect|Connection terminated due to connection timeout/, `It takes connections and does not answer. ${ADDRESS}`],
  [/does not support SSL/, 'Take sslmode out of the setting that names the database, or turn TLS on there.'],
  [/client password must be a string|SASL/, 'State a password in the setting that names the database.'],
  [/self-signed certificate|unable to verify|certificate has expired|altnames/, 'Give the server a certificate that this machine trusts, or state its authority by NODE_EXTRA_CA_CERTS.'],
  [/Connection terminated unexpectedly/, 'It may be starting, or no PostgreSQL: see its log, then start again.'],
];

/**
 * Turns a refusal by the database server into a StartupError; whatever else it is comes back as it was. What the server
 * says names users and tables, and never a password. Looks through what TypeORM and others wrap around it.
 */
export function explainDatabaseFailure(error: unknown): unknown {
  // Somebody who knew more has said it already.
  if (error instanceof StartupError) return error;
  for (const inner of chainOf(error)) {
    const [code, message] = [errorCode(inner) ?? '', inner.message];
    const cure = isSqlState(inner, code) ? CURES.find(([prefix]) => code.startsWith(prefix))?.[1] : CURES_OF_CONNECTIONS.find(([said]) => said.test(message))?.[1];
    if (cure !== undefined) return new StartupError(`PostgreSQL cannot be used: ${message}${code === '' ? '' : ` (${code})`}. ${cure}`, { cause: error });
  }
  return error;
}

const MOST_WRAPPINGS = 8;

function* chainOf(error: unknown): Generator<{ message: string }> {
  let inner = error as { message?: unknown; driverError?: unknown; cause?: unknown } | undefined;
  for (let depth = 0; depth < MOST_WRAPPINGS && typeof inner === 'object' && inner !== null; depth++) {
    if (typeof inner.message === 'string') yield inner as { message: string };
    inner = (inner.driverError ?? inner.cause) as typeof inner;
  }
}

/** A code of five characters is a server's own when a severity stands beside it. */
function isSqlState(error: object, code: string): boolean {
  return code.length === 5 && 'severity' in error;
}
