import { describe, expect, it } from '@jest/globals';
import { expressionFaults } from './expression-faults.js';
import { readExpression } from './promql.js';

describe('an expression of PromQL', () => {
  it('is read for its metrics, their matchers, and the labels that it groups by', () => {
    const text = `
      # of each gateway
      sum by (job, instance) (rate(gw_admission_total{result="unavailable",job=~"a|b"}[2m])) / 1e9 > 0.01
      and on (job) histogram_quantile(0.9, sum(rate(x_bucket[$__rate_interval])) by (le)) == bool 1
      unless count(y offset 1h) or tokone:z:rate5m * 3600 < time() - process_start_time_seconds`;
    expect(readExpression(text)).toEqual({
      selectors: [
        { metric: 'gw_admission_total', matchers: [{ label: 'result', operator: '=', value: 'unavailable' }, { label: 'job', operator: '=~', value: 'a|b' }] },
        ...['x_bucket', 'y', 'tokone:z:rate5m', 'process_start_time_seconds'].map((metric) => ({ metric, matchers: [] })),
      ],
      groupings: ['job', 'instance', 'job', 'le'],
    });
  });

  it.each([
    ['gw_accepting == 0'],
    ['sum by (check) (increase(acct_reconciliation_checks_total{state=~"right|wrong"}[5m]))'],
    ['histogram_quantile(0.9, sum by (le) (rate(acct_fence_seconds_bucket{result="passed",le="2.5"}[5m])))'],
    ['sum by (kind) (rate(nodejs_gc_duration_seconds_sum{job="$job"}[5m]))'],
    ['up{job="gateway"} or count(ALERTS{alertstate="firing"})'],
    ['rate(upstream_requests_total{model="anything",outcome!="cancelled"}[5m])'],
  ])('%s asks for what is there', (text) => {
    expect(expressionFaults(text)).toEqual([]);
  });

  it.each([
    ['a metric that nobody exposes', 'gw_acepting == 0', 'gw_acepting does not exist'],
    ['a label that the metric has not', 'gw_accepting{result="held"}', 'gw_accepting has no label result'],
    ['a value that the label never has', 'gw_admission_total{result="denied"}', 'gw_admission_total{result} is never denied'],
    ['one value of several', 'gw_admission_total{result=~"held|denied"}', 'gw_admission_total{result} is never denied'],
    ['a bucket that the histogram has not', 'gw_overhead_seconds_bucket{le="0.03"}', 'gw_overhead_seconds_bucket{le} is never 0.03'],
    ['a histogram without its parts', 'rate(gw_overhead_seconds[5m])', 'gw_overhead_seconds does not exist'],
    ['a part of what is no histogram', 'gw_accepting_count', 'gw_accepting_count does not exist'],
    ['a grouping by what is not there', 'sum by (account) (gw_accepting)', 'no metric of the expression has the label account'],
    ['a rule that nobody records', 'tokone:x:rate5m', 'tokone:x:rate5m does not exist'],
  ])('is told of %s', (_title, text, fault) => {
    expect(expressionFaults(text)).toEqual([fault]);
  });

  it('may ask for what rules record', () => {
    expect(expressionFaults('tokone:x:rate5m', new Set(['tokone:x:rate5m']))).toEqual([]);
  });
});
