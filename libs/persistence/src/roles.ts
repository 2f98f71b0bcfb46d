import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import pg from 'pg';
import type { Pool, PoolClient } from 'pg';
import { StartupError } from './startup-error.js';
import { inTransaction } from './transaction.js';

export interface RoleGrants {
  /** Created when it is missing. */
  role: string;
  /** Printable ASCII, at least 8 characters. The server is given its SCRAM verifier only. */
  password: string;
  /** The one schema that the role sees. */
  schema: string;
  /** Its tables that the role reads and adds to, and can neither change nor empty. */
  appendOnly: readonly string[];
}

/**
 * The login role of a service: it may read and write rows of its own schema, but neither make nor change tables there,
 * and sees no other schema. Idempotent, in one transaction, for any number of processes at once; called by the owner of
 * the schema after its migrations. Later tables of the same owner are open to the role, until the next call narrows them.
 * @throws StartupError when the name belongs to a role with rights that a service must not have.
 */
export async function ensureRole(pool: Pool, grants: RoleGrants): Promise<void> {
  const verifier = scramVerifier(grants.password);
  await inTransaction(pool, async (client) => {
    // Two processes that alter one role or one table at once would fail with "tuple concurrently updated".
    await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [LOCK_NAME]);
    await ensureLogin(client, grants.role, verifier);
    for (const statement of await grantStatements(client, grants)) await client.query(statement);
  });
}

const LOCK_NAME = 'tokone.roles';
/** What `runMigrations` keeps: a service may look at it, to find out whether it is up to date. */
const MIGRATIONS_TABLE = 'migrations';

interface RoleRow {
  is_self: boolean;
  is_powerful: boolean;
}

/** An existing role keeps what it is: only a superuser could take rights away, so a powerful one is refused instead. */
async function ensureLogin(client: PoolClient, role: string, verifier: string): Promise<void> {
  const { rows } = await client.query<RoleRow>(
    `SELECT rolname = current_user AS is_self, rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls AS is_powerful
     FROM pg_roles WHERE rolname = $1`,
    [role],
  );
  const [existing] = rows;
  if (existing?.is_self) throw new StartupError(`The role "${role}" owns the tables, so it cannot be the role of a service too: choose another name.`);
  if (existing?.is_powerful) throw new StartupError(`The role "${role}" may do more than a service should: choose another name, or take its rights away.`);
  const rights = existing ? 'LOGIN' : 'LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS';
  await client.query(`${existing ? 'ALTER' : 'CREATE'} ROLE ${pg.escapeIdentifier(role)} ${rights} PASSWORD '${verifier}'`);
}

async function grantStatements(client: PoolClient, { role, schema, appendOnly }: RoleGrants): Promise<string[]> {
  const { rows } = await client.query<{ database: string }>('SELECT current_database() AS database');
  const database = pg.escapeIdentifier(rows[0]?.database ?? '');
  const [to, of] = [pg.escapeIdentifier(role), pg.escapeIdentifier(schema)];
  const tables = (names: readonly string[]): string => names.map((name) => `${of}.${pg.escapeIdentifier(name)}`).join(', ');
  return [
    `REVOKE TEMPORARY ON DATABASE ${database} FROM PUBLIC`,
    `GRANT CONNECT ON DATABASE ${database} TO ${to}`,
    'REVOKE CREATE ON SCHEMA public FROM PUBLIC',
    ...['SCHEMA', 'ALL TABLES IN SCHEMA', 'ALL SEQUENCES IN SCHEMA', 'ALL FUNCTIONS IN SCHEMA'].map((what) => `REVOKE ALL ON ${what} ${of} FROM PUBLIC, ${to}`),
    `GRANT USAGE ON SCHEMA ${of} TO ${to}`,
    `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${of} TO ${to}`,
    `REVOKE INSERT, UPDATE, DELETE ON ${tables([MIGRATIONS_TABLE])} FROM ${to}`,
    ...(appendOnly.length > 0 ? [`REVOKE UPDATE, DELETE ON ${tables(appendOnly)} FROM ${to}`] : []),
    `GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA ${of} TO ${to}`,
    // A trigger runs with the rights of whoever wrote the row, and calls the schema's other functions with them.
    `GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ${of} TO ${to}`,
    `ALTER DEFAULT PRIVILEGES IN SCHEMA ${of} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ${to}`,
    `ALTER DEFAULT PRIVILEGES IN SCHEMA ${of} GRANT USAGE, SELECT ON SEQUENCES TO ${to}`,
    `ALTER DEFAULT PRIVILEGES IN SCHEMA ${of} GRANT EXECUTE ON FUNCTIONS TO ${to}`,
  ];
}

const SCRAM_ITERATIONS = 4_096;

/** The form in which PostgreSQL keeps a password (RFC 5803), so that the password itself never stands in a statement or a log. */
function scramVerifier(password: string): string {
  // Other characters would have to be prepared by RFC 4013 first.
  if (!/^[\x21-\x7e]{8,}$/.test(password)) throw new StartupError('The password of a database role has at least 8 characters, all of them printable ASCII without spaces.');
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, SCRAM_ITERATIONS, 32, 'sha256');
  const keyed = (label: string): Buffer => createHmac('sha256', salted).update(label).digest();
  const storedKey = createHash('sha256').update(keyed('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${SCRAM_ITERATIONS}:${salt.toString('base64')}$${storedKey}:${keyed('Server Key').toString('base64')}`;
}
