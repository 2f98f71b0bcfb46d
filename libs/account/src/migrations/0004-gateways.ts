import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Gateways by their heartbeats: who may serve, and who must be told of postings. One row per gateway. */
export class Gateways1700000000004 implements MigrationInterface {
  readonly name = 'Gateways1700000000004';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE account.gateways (
        gateway_id uuid PRIMARY KEY,
        instance_id uuid NOT NULL,
        url text NOT NULL CHECK (length(url) <= 300),
        started_at timestamptz NOT NULL DEFAULT now(),
        heartbeat_at timestamptz NOT NULL DEFAULT now()
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE account.gateways');
  }
}
