import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Parked requests for which somebody has decided that they cost nothing: the record as it came, who decided, and why. */
export class KeepWaivedRecords1764200000000 implements MigrationInterface {
  name = 'KeepWaivedRecords1764200000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE billing.waived (
        id uuid PRIMARY KEY,
        content_hash bytea NOT NULL,
        reason text NOT NULL,
        detail text NOT NULL,
        raw bytea NOT NULL,
        log_partition text NOT NULL,
        log_offset bigint NOT NULL,
        parked_at timestamptz NOT NULL,
        waived_by text NOT NULL,
        why text NOT NULL,
        waived_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON billing.waived FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse_change();
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE billing.waived');
  }
}
