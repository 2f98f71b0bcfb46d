import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The outbox of `account.changed`. Triggers fill it, so that every change is told, by whatever way it was made.
 *
 * Caches ask again after 5 s by themselves and forget after 60 s; an event that is older tells them nothing. So each
 * new row sweeps away some that are older than ten minutes: where nobody publishes, as in the shape of one process,
 * the table stays as small as ten minutes of changes. What a publisher holds is passed over, never waited for.
 */
export class Changes1700000000003 implements MigrationInterface {
  readonly name = 'Changes1700000000003';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(TABLE);
    await runner.query(FUNCTIONS);
    await runner.query(TRIGGERS);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE account.changes; DROP FUNCTION account.tell_row(), account.tell_upstream(), account.tell(jsonb) CASCADE');
  }
}

const TABLE = `
  CREATE TABLE account.changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
  )`;

/**
 * `tell` writes one event; its id is a UUIDv7: milliseconds over the first six bytes of a random one, version 7.
 * `tell_row` is for tables whose rows name what to forget, and gets the kind of the event as its argument.
 * `tell_upstream` is for upstreams, which concern every group that they belong to.
 */
const FUNCTIONS = `
  CREATE FUNCTION account.tell(change jsonb) RETURNS void LANGUAGE plpgsql AS $$
  DECLARE
    at bigint := floor(extract(epoch FROM clock_timestamp()) * 1000);
    id bytea := overlay(uuid_send(gen_random_uuid()) PLACING substring(int8send(at) FROM 3) FROM 1 FOR 6);
  BEGIN
    id := set_byte(id, 6, 112 | (get_byte(id, 6) & 15));
    INSERT INTO account.changes (event)
    VALUES (jsonb_build_object('schema', 1, 'id', encode(id, 'hex')::uuid, 'at', at, 'traceparent', NULL) || jsonb_strip_nulls(change));
    DELETE FROM account.changes WHERE changes.id IN (
      SELECT old.id FROM account.changes old
      WHERE old.id < (SELECT min(first.id) + 100 FROM account.changes first)
        AND old.created_at < clock_timestamp() - interval '10 minutes'
      FOR UPDATE SKIP LOCKED
    );
  END $$;

  CREATE FUNCTION account.tell_row() RETURNS trigger LANGUAGE plpgsql AS $$
  DECLARE
    line jsonb := to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END);
    digest bytea := decode(substr(line ->> 'digest', 3), 'hex');
  BEGIN
    PERFORM account.tell(jsonb_build_object(
      'kind', TG_ARGV[0],
      'keyDigest', translate(encode(digest, 'base64'), '+/=', '-_'),
      'accountId', CASE TG_ARGV[0] WHEN 'account' THEN line ->> 'id' ELSE line ->> 'account_id' END,
      'groupId', CASE TG_ARGV[0] WHEN 'group' THEN line ->> 'id' ELSE line ->> 'group_id' END
    ));
    RETURN NULL;
  END $$;

  CREATE FUNCTION account.tell_upstream() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM account.tell(jsonb_build_object('kind', 'upstream', 'groupId', gu.group_id))
    FROM account.group_upstreams gu WHERE gu.upstream_id = NEW.id;
    RETURN NULL;
  END $$`;

/** A new upstream concerns nobody before it belongs to a group, and one that belongs to a group cannot be deleted. */
const TRIGGERS = `
  CREATE TRIGGER tell AFTER INSERT OR UPDATE OR DELETE ON account.keys
    FOR EACH ROW EXECUTE FUNCTION account.tell_row('key');
  CREATE TRIGGER tell AFTER UPDATE OF status OR DELETE ON account.accounts
    FOR EACH ROW EXECUTE FUNCTION account.tell_row('account');
  CREATE TRIGGER tell AFTER INSERT OR UPDATE OR DELETE ON account.groups
    FOR EACH ROW EXECUTE FUNCTION account.tell_row('group');
  CREATE TRIGGER tell AFTER INSERT OR UPDATE OR DELETE ON account.account_multipliers
    FOR EACH ROW EXECUTE FUNCTION account.tell_row('multiplier');
  CREATE TRIGGER tell AFTER INSERT OR UPDATE OR DELETE ON account.group_upstreams
    FOR EACH ROW EXECUTE FUNCTION account.tell_row('upstream');
  CREATE TRIGGER tell AFTER UPDATE ON account.upstreams
    FOR EACH ROW EXECUTE FUNCTION account.tell_upstream()`;
