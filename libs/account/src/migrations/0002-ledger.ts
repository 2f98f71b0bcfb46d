import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The double-entry ledger and the audit log. What was written stays: triggers refuse UPDATE, DELETE and TRUNCATE.
 * Transfers and entries carry no foreign keys, which would cost more than the inserts themselves; the posting
 * statement writes both at once, and reconciliation looks for orphans.
 */
export class Ledger1700000000002 implements MigrationInterface {
  readonly name = 'Ledger1700000000002';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(LEDGER_TABLES);
    await runner.query(BESIDE_THE_LEDGER);
    await runner.query(APPEND_ONLY);
    await runner.query(DEPLOYMENT_ACCOUNTS);
  }

  async down(): Promise<void> {
    throw new Error('the ledger is never dropped');
  }
}

const LEDGER_TABLES = `
  CREATE TABLE account.ledger_accounts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('wallet', 'revenue', 'write_off', 'top_up_clearing', 'refund', 'adjustment')),
    account_id uuid REFERENCES account.accounts (id),
    shard smallint NOT NULL DEFAULT 0,
    balance bigint NOT NULL DEFAULT 0,
    seq bigint NOT NULL DEFAULT 0 CHECK (seq >= 0),
    CONSTRAINT wallet_not_below_zero CHECK (kind <> 'wallet' OR balance >= 0),
    CHECK ((kind = 'wallet') = (account_id IS NOT NULL)),
    UNIQUE NULLS NOT DISTINCT (kind, account_id, shard)
  ) WITH (fillfactor = 50);
  CREATE UNIQUE INDEX wallet_of_account ON account.ledger_accounts (account_id) WHERE kind = 'wallet';
  CREATE TABLE account.transfers (
    id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('charge', 'top_up', 'refund', 'adjustment')),
    account_id uuid NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    granted bigint CHECK (granted >= 0),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    memo text CHECK (length(memo) <= 500),
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((kind = 'charge') = (granted IS NOT NULL))
  );
  COMMENT ON COLUMN account.transfers.amount IS 'nano-USD that change hands: the sum of the positive legs; for a charge what was rated';
  COMMENT ON COLUMN account.transfers.granted IS 'of a charge: the part that admission granted, the most that the wallet pays';
  CREATE TABLE account.entries (
    transfer_id uuid NOT NULL,
    leg smallint NOT NULL,
    ledger_account_id bigint NOT NULL,
    seq bigint NOT NULL CHECK (seq > 0),
    amount bigint NOT NULL CHECK (amount <> 0),
    balance_after bigint NOT NULL,
    CONSTRAINT entry_once UNIQUE (transfer_id, leg),
    CONSTRAINT entry_in_sequence UNIQUE (ledger_account_id, seq)
  )`;

const BESIDE_THE_LEDGER = `
  CREATE TABLE account.zero_charges (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
  );
  COMMENT ON TABLE account.zero_charges IS 'charges of 0: no transfer, but proof for admission that they are done';
  CREATE TABLE account.dead_charges (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    charge_id uuid NOT NULL,
    account_id uuid NOT NULL,
    rated bigint NOT NULL,
    granted bigint NOT NULL,
    hash bytea NOT NULL,
    reason text NOT NULL CHECK (reason IN ('unknown_account', 'conflict', 'malformed')),
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (charge_id, hash, reason)
  );
  CREATE TABLE account.audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    before jsonb,
    after jsonb
  )`;

const APPEND_ONLY = `
  CREATE FUNCTION account.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    RAISE EXCEPTION '% on account.% is refused: it is append only', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
  END $$;
  CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON account.transfers
    FOR EACH STATEMENT EXECUTE FUNCTION account.refuse_change();
  CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON account.entries
    FOR EACH STATEMENT EXECUTE FUNCTION account.refuse_change();
  CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON account.audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION account.refuse_change()`;

const DEPLOYMENT_ACCOUNTS = `
  INSERT INTO account.ledger_accounts (kind, shard)
  SELECT kind, shard FROM unnest(ARRAY['revenue', 'write_off']) AS kind, generate_series(0, 15) AS shard
  UNION ALL SELECT kind, 0 FROM unnest(ARRAY['top_up_clearing', 'refund', 'adjustment']) AS kind`;
