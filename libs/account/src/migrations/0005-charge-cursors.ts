import type { MigrationInterface, QueryRunner } from 'typeorm';

/** How far the charges of each partition of the log are posted. */
export class ChargeCursors1700000000005 implements MigrationInterface {
  readonly name = 'ChargeCursors1700000000005';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE TABLE account.log_cursor (log_partition text PRIMARY KEY, next_offset bigint NOT NULL CHECK (next_offset >= 0))');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE account.log_cursor');
  }
}
