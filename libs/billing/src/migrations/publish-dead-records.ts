import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Dead records are published, too. A mark on the row, not a table beside it: the row stays for ever, and few are ever
 * unpublished. The id of the event is made once, so that a second publication can be told from a second record.
 */
export class PublishDeadRecords1764000000000 implements MigrationInterface {
  name = 'PublishDeadRecords1764000000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE billing.dead
        ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        ADD COLUMN event_id uuid NOT NULL DEFAULT gen_random_uuid(),
        ADD COLUMN published_at timestamptz;
      CREATE INDEX dead_unpublished ON billing.dead (id) WHERE published_at IS NULL;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE billing.dead DROP COLUMN id, DROP COLUMN event_id, DROP COLUMN published_at');
  }
}
