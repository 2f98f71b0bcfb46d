import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * How far each chain of entries was found right, the last report with what the next run needs to know, and which gateways
 * are gone: nobody tells any more what they recorded. A trigger notes them, by whatever way they went.
 */
export class Reconciliation1700000000006 implements MigrationInterface {
  readonly name = 'Reconciliation1700000000006';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE account.reconciled_balances (
        ledger_account_id bigint PRIMARY KEY,
        seq bigint NOT NULL,
        balance bigint NOT NULL
      ) WITH (fillfactor = 50);
      CREATE TABLE account.reconciliation (
        only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
        report jsonb NOT NULL,
        state jsonb NOT NULL,
        finished_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE TABLE account.departed_gateways (
        gateway_id uuid PRIMARY KEY,
        left_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE FUNCTION account.note_departure() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        INSERT INTO account.departed_gateways (gateway_id) VALUES (OLD.gateway_id)
        ON CONFLICT (gateway_id) DO UPDATE SET left_at = now();
        DELETE FROM account.departed_gateways WHERE left_at < now() - interval '1 day';
        RETURN NULL;
      END $$;
      CREATE TRIGGER note_departure AFTER DELETE ON account.gateways FOR EACH ROW EXECUTE FUNCTION account.note_departure()`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE account.reconciled_balances, account.reconciliation, account.departed_gateways; DROP FUNCTION account.note_departure() CASCADE');
  }
}
