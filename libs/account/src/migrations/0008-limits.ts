import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Users of an account, and how much may be asked for: by an account, a user, a key, by every account in a group, or by
 * one account in a group, which then replaces the group's. Only that last row may be empty: it lifts what the group has.
 * Gateways hear of each change by what they must forget.
 */
export class Limits1700000000008 implements MigrationInterface {
  readonly name = 'Limits1700000000008';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(USERS);
    await runner.query(LIMITS);
    await runner.query(TELL);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE account.limits;
      DROP FUNCTION account.tell_limits();
      ALTER TABLE account.keys DROP COLUMN user_id;
      DROP TABLE account.users`);
  }
}

/** A key can only be of a user of its own account. */
const USERS = `
  CREATE TABLE account.users (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES account.accounts (id),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (account_id, name),
    UNIQUE (account_id, id)
  );
  ALTER TABLE account.keys ADD COLUMN user_id uuid;
  ALTER TABLE account.keys ADD CONSTRAINT keys_user FOREIGN KEY (account_id, user_id) REFERENCES account.users (account_id, id);
  CREATE INDEX keys_of_user ON account.keys (user_id) WHERE user_id IS NOT NULL`;

const LIMITS = `
  CREATE TABLE account.limits (
    account_id uuid REFERENCES account.accounts (id) ON DELETE CASCADE,
    group_id uuid REFERENCES account.groups (id) ON DELETE CASCADE,
    user_id uuid UNIQUE REFERENCES account.users (id) ON DELETE CASCADE,
    key_id uuid UNIQUE REFERENCES account.keys (id) ON DELETE CASCADE,
    requests_per_minute integer CHECK (requests_per_minute > 0),
    tokens_per_minute integer CHECK (tokens_per_minute > 0),
    concurrent_requests integer CHECK (concurrent_requests > 0),
    CHECK (num_nonnulls(user_id, key_id, coalesce(account_id, group_id)) = 1),
    CHECK (num_nonnulls(requests_per_minute, tokens_per_minute, concurrent_requests) > 0 OR num_nonnulls(account_id, group_id) = 2)
  );
  CREATE UNIQUE INDEX limits_of_accounts_and_groups ON account.limits (account_id, group_id) NULLS NOT DISTINCT
    WHERE account_id IS NOT NULL OR group_id IS NOT NULL;
  CREATE INDEX limits_of_group ON account.limits (group_id) WHERE group_id IS NOT NULL`;

/** As `tell_row` in the migration of the changes. A user is told as its account: caches know keys by both. */
const TELL = `
  CREATE FUNCTION account.tell_limits() RETURNS trigger LANGUAGE plpgsql AS $$
  DECLARE
    line account.limits := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
  BEGIN
    IF line.key_id IS NOT NULL THEN
      PERFORM account.tell(jsonb_build_object('kind', 'key', 'keyDigest', translate(encode(k.digest, 'base64'), '+/=', '-_'), 'accountId', k.account_id, 'groupId', k.group_id))
      FROM account.keys k WHERE k.id = line.key_id;
    ELSIF line.user_id IS NOT NULL THEN
      PERFORM account.tell(jsonb_build_object('kind', 'account', 'accountId', u.account_id)) FROM account.users u WHERE u.id = line.user_id;
    ELSE
      PERFORM account.tell(jsonb_build_object(
        'kind', CASE WHEN line.account_id IS NULL THEN 'group' WHEN line.group_id IS NULL THEN 'account' ELSE 'multiplier' END,
        'accountId', line.account_id,
        'groupId', line.group_id
      ));
    END IF;
    RETURN NULL;
  END $$;
  CREATE TRIGGER tell AFTER INSERT OR UPDATE OR DELETE ON account.limits
    FOR EACH ROW EXECUTE FUNCTION account.tell_limits()`;
