import { describe, expect, it } from '@jest/globals';
import { ALARM_METRICS } from './alarm-metrics.js';
import { METRICS, METRIC_SERVICES, labelSetsOf, metricsOf, seriesBoundOf } from './metric-table.js';
import type { MetricRow } from './metric-table.js';
import { PROCESS_SERIES_BOUND } from './process-metrics.js';

/** What a Prometheus may be given by one process: see docs/metrics.md. */
const MOST_SERIES = 20_000;
const PREFIXES = { gateway: 'gw_', adapter: 'upstream_', billing: 'bill_', account: 'acct_' };
const rows = Object.entries<MetricRow>(METRICS);

describe('the table of metrics', () => {
  it(`allows one process fewer than ${MOST_SERIES} series, the one with all services too`, () => {
    const bound = metricsOf(METRIC_SERVICES).reduce((sum, name) => sum + seriesBoundOf(METRICS[name]), PROCESS_SERIES_BOUND);
    expect(bound).toBeLessThan(MOST_SERIES);
    expect(bound).toBeGreaterThan(1_000);
  });

  it.each(rows)('%s is named as Prometheus recommends, and belongs to its service', (name, { kind, service, help, buckets }) => {
    expect(name).toMatch(/^[a-z]+(?:_[a-z]+)+$/);
    expect(name.startsWith(PREFIXES[service])).toBe(true);
    expect(name.endsWith('_total')).toBe(kind === 'counter');
    expect(help).toMatch(/^\S.*\.$/s);
    expect(buckets !== undefined).toBe(kind === 'histogram');
    if (buckets) expect([...buckets].sort((one, other) => one - other)).toEqual(buckets);
    if (kind === 'histogram' && name !== 'gw_hold_ratio') expect(name).toMatch(/_seconds$/);
  });

  it.each(rows)('%s has no label that could name a tenant or a request, and each value once', (_name, { labels }) => {
    for (const [label, values] of Object.entries(labels)) {
      expect(label).not.toMatch(/account|key|user|tenant|request|group|upstream|path|url|agent|ip$/);
      if (!('most' in values)) expect(new Set(values).size).toBe(values.length);
      expect(label).not.toBe('le');
    }
  });

  it('computes a bound from the sets of a row', () => {
    const row: MetricRow = { kind: 'histogram', service: 'adapter', help: 'x', labels: { a: ['1', '2'], b: { most: 4, from: 'x' } }, buckets: [1, 2, 3] };
    expect(labelSetsOf(row)).toBe(10);
    expect(seriesBoundOf(row)).toBe(60);
    expect(seriesBoundOf({ ...row, kind: 'gauge', buckets: undefined } as unknown as MetricRow)).toBe(10);
  });

  it('counts every kind of alarm by a counter of the part that raises it', () => {
    for (const [kind, metric] of Object.entries(ALARM_METRICS)) expect((METRICS[metric].labels.kind as readonly string[]).includes(kind)).toBe(true);
  });
});
