import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Beside each cursor, how many records were handled between two offsets, counted in the transaction that moves it.
 * A log that was read before this begins to be counted where it stands.
 */
export class CountLogRecords1764100000000 implements MigrationInterface {
  name = 'CountLogRecords1764100000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE billing.log_cursor
        ADD COLUMN counted_from bigint,
        ADD COLUMN counted_to bigint,
        ADD COLUMN records bigint NOT NULL DEFAULT 0,
        ADD COLUMN rated bigint NOT NULL DEFAULT 0;
      UPDATE billing.log_cursor SET counted_from = next_offset, counted_to = next_offset;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE billing.log_cursor DROP COLUMN counted_from, DROP COLUMN counted_to, DROP COLUMN records, DROP COLUMN rated');
  }
}
