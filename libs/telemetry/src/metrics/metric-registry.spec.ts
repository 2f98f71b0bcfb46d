import { describe, expect, it } from '@jest/globals';
import { MetricRegistry } from './metric-registry.js';
import { METRIC_SERVICES, metricsOf } from './metric-table.js';

function exposed(text: string): string[] {
  return [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name ?? '');
}

describe('a registry', () => {
  it.each(METRIC_SERVICES)('of %s exposes all that the table says of it, and nothing of others', async (service) => {
    expect(exposed(await new MetricRegistry([service]).text())).toEqual(metricsOf([service]));
  });

  it('knows nothing of another one in the same process', async () => {
    const [one, other] = [new MetricRegistry(['account']), new MetricRegistry(['account'])];
    one.counter('acct_posted_total').with({ result: 'posted' }).add(7);
    expect(await one.text()).toContain('acct_posted_total{result="posted"} 7\n');
    expect(await other.text()).toContain('acct_posted_total{result="posted"} 0\n');
  });

  it('refuses a metric of a service that the process is not', () => {
    expect(() => new MetricRegistry(['account']).counter('gw_alarms_total')).toThrow(RangeError);
  });

  it('reads a gauge at each look; one that fails, or is not known, has no line', async () => {
    const registry = new MetricRegistry(['billing']);
    let lag: number | undefined = 3;
    registry.gauge('bill_lag_seconds', () => lag);
    expect(await registry.text()).toContain('\nbill_lag_seconds 3\n');
    lag = undefined;
    expect(await registry.text()).not.toMatch(/^bill_lag_seconds/m);
    lag = 0;
    expect(await registry.text()).toContain('\nbill_lag_seconds 0\n');
  });

  it('writes what stands in a label so that it stays in its quotes', async () => {
    const registry = new MetricRegistry(['adapter']);
    registry.counter('upstream_requests_total').with({ provider: 'openai', model: 'a"b\\c\nd', outcome: 'whole' }).add();
    expect(await registry.text()).toContain('upstream_requests_total{provider="openai",model="a\\"b\\\\c\\nd",outcome="whole"} 1\n');
  });
});
