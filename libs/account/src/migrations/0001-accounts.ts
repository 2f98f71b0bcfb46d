import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Tenants, what they may use, and where their requests go. */
export class Accounts1700000000001 implements MigrationInterface {
  readonly name = 'Accounts1700000000001';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE account.accounts (
        id uuid PRIMARY KEY,
        name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
        status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
        created_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE TABLE account.groups (
        id uuid PRIMARY KEY,
        name text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
        platform text NOT NULL CHECK (platform IN ('openai', 'anthropic', 'gemini')),
        models text[],
        multiplier_ppm integer NOT NULL DEFAULT 1000000 CHECK (multiplier_ppm >= 0),
        created_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE TABLE account.account_multipliers (
        account_id uuid NOT NULL REFERENCES account.accounts (id),
        group_id uuid NOT NULL REFERENCES account.groups (id),
        multiplier_ppm integer NOT NULL CHECK (multiplier_ppm >= 0),
        PRIMARY KEY (account_id, group_id)
      );
      CREATE TABLE account.keys (
        id uuid PRIMARY KEY,
        account_id uuid NOT NULL REFERENCES account.accounts (id),
        group_id uuid NOT NULL REFERENCES account.groups (id),
        name text NOT NULL CHECK (length(name) <= 100),
        digest bytea NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
        last_four text NOT NULL CHECK (length(last_four) = 4),
        status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled')),
        created_at timestamptz NOT NULL DEFAULT now(),
        disabled_at timestamptz,
        CHECK ((status = 'disabled') = (disabled_at IS NOT NULL))
      );
      CREATE INDEX keys_of_account ON account.keys (account_id);
      CREATE TABLE account.upstreams (
        id uuid PRIMARY KEY,
        name text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 100),
        platform text NOT NULL CHECK (platform IN ('openai', 'anthropic', 'gemini')),
        base_url text NOT NULL,
        credential_sealed bytea NOT NULL,
        credential_version integer NOT NULL DEFAULT 1 CHECK (credential_version >= 1),
        model_mapping jsonb NOT NULL DEFAULT '{}',
        priority integer NOT NULL DEFAULT 0,
        status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled'))
      );
      CREATE TABLE account.group_upstreams (
        group_id uuid NOT NULL REFERENCES account.groups (id),
        upstream_id uuid NOT NULL REFERENCES account.upstreams (id),
        PRIMARY KEY (group_id, upstream_id)
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      'DROP TABLE account.group_upstreams, account.upstreams, account.keys, account.account_multipliers, account.groups, account.accounts',
    );
  }
}
