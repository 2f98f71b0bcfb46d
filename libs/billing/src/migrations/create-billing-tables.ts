import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The tables of billing. Price rows and usage rows are facts: triggers refuse to change or remove them, so a charge
 * can be recomputed as long as its row stands. Two indexes on `usage`, because each costs about a sixth of the
 * insert: the primary key, and a key's own usage by time.
 */
export class CreateBillingTables1763900000000 implements MigrationInterface {
  name = 'CreateBillingTables1763900000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [PRICES, USAGE, ROLLUP, SET_ASIDE, FLOW, APPEND_ONLY]) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE billing.usage, billing.usage_rollup, billing.price_row, billing.price_book, billing.parked, billing.dead, billing.conflict,
        billing.outbox, billing.log_cursor;
      DROP FUNCTION billing.refuse_change();
    `);
  }
}

const PRICES = `
  CREATE TABLE billing.price_book (
    version integer PRIMARY KEY CHECK (version > 0),
    created_at timestamptz NOT NULL,
    source text NOT NULL,
    origin text NOT NULL CHECK (origin IN ('product', 'operator')),
    content_hash text NOT NULL
  );
  -- prices: USD as decimal strings, {"tiers": {"default": [{"aboveInputTokens": 0, "usdPerMillion": {…}}]}, "unitUsd": {…}}
  CREATE TABLE billing.price_row (
    id text PRIMARY KEY,
    version integer NOT NULL REFERENCES billing.price_book,
    model text NOT NULL,
    platform text NOT NULL,
    max_input_tokens bigint NOT NULL,
    max_output_tokens bigint NOT NULL,
    prices jsonb NOT NULL,
    UNIQUE (version, model),
    CHECK (id = version || '/' || model)
  );
`;

const USAGE = `
  CREATE TABLE billing.usage (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL,
    key_id uuid NOT NULL,
    group_id uuid NOT NULL,
    started_at timestamptz NOT NULL,
    first_byte_at timestamptz,
    ended_at timestamptz NOT NULL,
    rated_at timestamptz NOT NULL DEFAULT now(),
    count bigint NOT NULL,
    input_tokens bigint NOT NULL,
    cache_read_tokens bigint NOT NULL,
    cache_write_5m_tokens bigint NOT NULL,
    cache_write_1h_tokens bigint NOT NULL,
    input_audio_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    reasoning_tokens bigint NOT NULL,
    output_audio_tokens bigint NOT NULL,
    output_image_tokens bigint NOT NULL,
    multiplier_ppm bigint NOT NULL,
    list_nano_usd bigint NOT NULL CHECK (list_nano_usd >= 0),
    rated_nano_usd bigint NOT NULL CHECK (rated_nano_usd >= 0),
    hold_nano_usd bigint NOT NULL CHECK (hold_nano_usd >= 0),
    grant_nano_usd bigint NOT NULL CHECK (grant_nano_usd >= 0),
    charge_nano_usd bigint NOT NULL,
    request_bytes bigint NOT NULL,
    answer_bytes bigint NOT NULL,
    status smallint NOT NULL,
    admitted boolean NOT NULL,
    streamed boolean NOT NULL,
    estimated boolean NOT NULL,
    odd boolean NOT NULL,
    model text NOT NULL,
    dialect text NOT NULL,
    outcome text NOT NULL,
    error_code text,
    service_tier text,
    price_id text,
    units jsonb,
    upstream_id text,
    upstream_request_id text,
    raw_usage text,
    content_hash bytea NOT NULL,
    CHECK (charge_nano_usd >= 0 AND charge_nano_usd <= rated_nano_usd AND charge_nano_usd <= grant_nano_usd),
    CHECK (admitted OR charge_nano_usd = 0)
  );
  CREATE INDEX usage_of_key ON billing.usage (key_id, ended_at);
`;

const ROLLUP = `
  -- Sums of the admitted rows of billing.usage, made by the statement that inserts them. A quarter of an hour, because
  -- the offset of every time zone is a whole number of them: any zone's days can be put together. Money is numeric:
  -- bigint would do for one request, but a sum that overflows would keep the request's own row out.
  -- Half of each page stays free, so that the newest row is changed in place, without its index.
  CREATE TABLE billing.usage_rollup (
    key_id uuid NOT NULL,
    bucket timestamptz NOT NULL,
    model text NOT NULL,
    requests bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cache_creation_tokens bigint NOT NULL,
    cache_read_tokens bigint NOT NULL,
    list_nano_usd numeric NOT NULL,
    charge_nano_usd numeric NOT NULL,
    duration_ms bigint NOT NULL,
    PRIMARY KEY (key_id, bucket, model)
  ) WITH (fillfactor = 50);
`;

const SET_ASIDE = `
  -- Readable, but not to be rated as it stands: unpriced or absurd. Kept until a person decides.
  CREATE TABLE billing.parked (
    id uuid NOT NULL,
    content_hash bytea NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    raw bytea NOT NULL,
    log_partition text NOT NULL,
    log_offset bigint NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, content_hash)
  );
  -- Not readable, or refused by the database. raw: the record's bytes as they came.
  CREATE TABLE billing.dead (
    log_partition text NOT NULL,
    log_offset bigint NOT NULL,
    raw_hash bytea NOT NULL,
    reason text NOT NULL,
    raw bytea NOT NULL,
    died_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (log_partition, log_offset, raw_hash)
  );
  -- The id of a rated request with another content: never charged, always an alarm.
  CREATE TABLE billing.conflict (
    id uuid NOT NULL,
    content_hash bytea NOT NULL,
    rated_content_hash bytea NOT NULL,
    raw bytea NOT NULL,
    log_partition text NOT NULL,
    log_offset bigint NOT NULL,
    found_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, content_hash)
  );
`;

const FLOW = `
  -- One row per batch of charges, claimed with FOR UPDATE SKIP LOCKED, deleted when posted.
  CREATE TABLE billing.outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    charges json NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
  );
  CREATE TABLE billing.log_cursor (
    log_partition text PRIMARY KEY,
    next_offset bigint NOT NULL
  );
`;

const APPEND_ONLY = `
  CREATE FUNCTION billing.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    RAISE EXCEPTION 'billing.% is append only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
  END $$;
  CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON billing.usage FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse_change();
  CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON billing.price_row FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse_change();
  CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON billing.price_book FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse_change();
`;
