import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Accounts that admission has had open once. Those that are there already may have had requests, whoever admitted them. */
export class FirstOpenings1700000000007 implements MigrationInterface {
  readonly name = 'FirstOpenings1700000000007';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE account.first_openings (
        account_id uuid PRIMARY KEY,
        opened_at timestamptz NOT NULL DEFAULT now()
      );
      INSERT INTO account.first_openings (account_id) SELECT account_id FROM account.ledger_accounts WHERE kind = 'wallet'`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE account.first_openings');
  }
}
