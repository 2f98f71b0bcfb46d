import { describe, expect, it } from '@jest/globals';
import { MetricFamily } from './metric-family.js';
import type { MetricRow } from './metric-table.js';
import { Count, Distribution } from './series.js';

const row = (labels: MetricRow['labels'], kind: MetricRow['kind'] = 'counter'): MetricRow => ({ kind, service: 'gateway', help: 'Help.', labels });
const counter = (labels: MetricRow['labels']) => new MetricFamily('m_total', row(labels), () => new Count());

describe('a metric', () => {
  it('has one series for each set of labels, whoever asks for it', async () => {
    const family = counter({ way: ['in', 'out'] });
    family.with({ way: 'in' }).add();
    family.with({ way: 'in' }).add(2);
    family.with({ way: 'out' }).add();
    expect((await family.get()).values).toEqual([{ labels: {}, sharedLabels: { way: 'in' }, value: 3 }, { labels: {}, sharedLabels: { way: 'out' }, value: 1 }]);
  });

  it('shows few label sets from the start, at 0, and many only when they are used', async () => {
    const digits = Array.from({ length: 11 }, (_, index) => String(index));
    expect((await counter({ one: digits.slice(0, 10), other: digits.slice(0, 10) }).get()).values).toHaveLength(100);
    expect((await counter({ one: digits, other: digits }).get()).values).toEqual([]);
    expect((await counter({}).get()).values).toEqual([{ labels: {}, sharedLabels: {}, value: 0 }]);
    expect((await counter({ model: { most: 3, from: 'somewhere' } }).get()).values).toEqual([]);
  });

  it('takes no value that is not in a closed set', () => {
    const family = counter({ way: ['in', 'out'] });
    expect(() => family.with({ way: 'up' })).toThrow(RangeError);
    expect(() => family.with({})).toThrow(RangeError);
  });

  it('tells apart as many values of an open label as it may, and calls all others other', async () => {
    const family = counter({ way: ['in'], model: { most: 2, from: 'somewhere' } });
    for (const model of ['a', 'b', 'c', 'a', 'd', '', 'other']) family.with({ way: 'in', model }).add();
    const { values } = await family.get();
    expect(values.map(({ sharedLabels, value }) => [sharedLabels['model'], value])).toEqual([['a', 2], ['b', 1], ['other', 4]]);
  });

  it('takes labels with any characters for different ones', async () => {
    const family = counter({ one: { most: 9, from: 'x' }, other: { most: 9, from: 'x' } });
    family.with({ one: 'a,b', other: 'c' }).add();
    family.with({ one: 'a', other: 'b,c' }).add();
    expect((await family.get()).values).toHaveLength(2);
  });

  it('that is a histogram has cumulative buckets, a sum and a count, as Prometheus wants them', async () => {
    const family = new MetricFamily('h_seconds', { ...row({}, 'histogram'), buckets: [1, 5] }, () => new Distribution([1, 5]));
    for (const value of [0.5, 1, 2, 7, Number.NaN]) family.with({}).observe(value);
    expect((await family.get()).values).toEqual([
      { metricName: 'h_seconds_bucket', labels: { le: 1 }, sharedLabels: {}, value: 2 },
      { metricName: 'h_seconds_bucket', labels: { le: 5 }, sharedLabels: {}, value: 3 },
      { metricName: 'h_seconds_bucket', labels: { le: '+Inf' }, sharedLabels: {}, value: 4 },
      { metricName: 'h_seconds_sum', labels: {}, sharedLabels: {}, value: 10.5 },
      { metricName: 'h_seconds_count', labels: {}, sharedLabels: {}, value: 4 },
    ]);
  });
});
