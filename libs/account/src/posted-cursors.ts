import type { ChargeCursors } from '@tokone/messaging';
import type { Pool } from '@tokone/persistence';

/**
 * How far the charges of each partition are posted, in the ledger's own database: a backup of it that is restored begins
 * where it ended, not where Kafka says that others once came. A cursor may be behind what is posted, never ahead of it.
 */
export class PostedCursors implements ChargeCursors {
  constructor(private readonly pool: Pool) {}

  async read(partition: string): Promise<bigint | undefined> {
    const { rows } = await this.pool.query<{ next_offset: bigint }>('SELECT next_offset FROM account.log_cursor WHERE log_partition = $1', [partition]);
    return rows[0]?.next_offset;
  }

  async save(partition: string, nextOffset: bigint): Promise<void> {
    const query = { name: 'account.save-cursor', text: SAVE, values: [partition, nextOffset.toString()] };
    await this.pool.query(query);
  }
}

const SAVE = 'INSERT INTO account.log_cursor (log_partition, next_offset) VALUES ($1, $2) ON CONFLICT (log_partition) DO UPDATE SET next_offset = excluded.next_offset';
