import type { MetricRegistry } from './metric-registry.js';

/** Brokers are not asked more often, however many look. */
const LAG_FRESH_MS = 5_000;

/** Shows how many records of each partition a group has before it. `lag` rejects while the brokers are away. */
export function showLag(registry: MetricRegistry, name: 'bill_lag_records' | 'acct_lag_records', lag: () => Promise<ReadonlyMap<string | number, number>>): void {
  registry.readAtLook({
    gauges: [name],
    freshMs: LAG_FRESH_MS,
    read: async (set) => {
      for (const [partition, records] of await lag()) set(name, { partition: String(partition) }, records);
    },
  });
}
