import pg from 'pg';
import { StartupError } from './startup-error.js';

/** SQLSTATE, or how it begins → what to do. https://www.postgresql.org/docs/current/errcodes-appendix.html */
const CURES: readonly (readonly [string, string])[] = [
  ['28', 'Correct user and password in the setting that names the database, or run migrate, which makes the roles of the services.'],
  ['3D000', 'Create that database, or correct its name in the setting that names it.'],
  ['42P01', 'Run migrate of this version first.'],
  ['42703', 'Run migrate of this version first.'],
  ['3F000', 'Run migrate of this version first.'],
  ['42501', 'Start with the role that migrate made for this service; migrate itself needs one that owns the database and may make roles.'],
  ['53', 'Give the database server more of what it lacks, or lower what is asked of it; then start again.'],
  ['57', 'Start again when it is up.'],
  ['25006', 'It is a standby: correct the address in the setting that names the database, or promote it.'],
];

/**
 * Turns a refusal by the database server into a StartupError; whatever else it is comes back as it was. What the server
 * says names users and tables, and never a password.
 */
export function explainDatabaseFailure(error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError)) return error;
  const { code = '', message } = error;
  const cure = CURES.find(([prefix]) => code.startsWith(prefix))?.[1];
  return cure === undefined ? error : new StartupError(`PostgreSQL refuses: ${message} (${code}). ${cure}`, { cause: error });
}
