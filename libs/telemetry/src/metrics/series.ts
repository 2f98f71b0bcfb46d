/** One line of the exposition, in prom-client's own shape. */
export interface MetricValue {
  value: number;
  /** Those of this line alone. */
  labels: Readonly<Record<string, string | number>>;
  /** Those of the series: one object for as long as it lives, so that prom-client writes its text once. */
  sharedLabels: Readonly<Record<string, string>>;
  /** Where it is not the metric's name: `…_bucket`, `…_sum`, `…_count`. */
  metricName?: string;
}

const NO_LABELS = {};

/** What `/metrics` shows of a metric under one set of labels. */
export interface Series {
  values(name: string, labels: Readonly<Record<string, string>>): MetricValue[];
}

/**
 * A number that only grows. prom-client's own counter builds and hashes the labels on each call, half a microsecond
 * also for a child that was resolved before; a request makes a dozen calls.
 */
export class Count implements Series {
  private total = 0;

  add(by = 1): void {
    this.total += by;
  }

  values(_name: string, labels: Readonly<Record<string, string>>): MetricValue[] {
    return [{ value: this.total, labels: NO_LABELS, sharedLabels: labels }];
  }
}

/** A number that is read when somebody looks. Without one there is no line: a number that is not known is not 0. */
export class Level implements Series {
  value: number | undefined;

  values(_name: string, labels: Readonly<Record<string, string>>): MetricValue[] {
    return this.value === undefined || Number.isNaN(this.value) ? [] : [{ value: this.value, labels: NO_LABELS, sharedLabels: labels }];
  }
}

/** How often a value was at most each of the rising bounds. */
export class Distribution implements Series {
  private readonly counts: Float64Array;
  private sum = 0;

  constructor(private readonly bounds: readonly number[]) {
    this.counts = new Float64Array(bounds.length + 1);
  }

  /** In the unit of the metric. What is no number is not counted. */
  observe(value: number): void {
    if (Number.isNaN(value)) return;
    const { bounds, counts } = this;
    let at = 0;
    while (at < bounds.length && value > (bounds[at] ?? 0)) at++;
    counts[at] = (counts[at] ?? 0) + 1;
    this.sum += value;
  }

  values(name: string, labels: Readonly<Record<string, string>>): MetricValue[] {
    const values: MetricValue[] = [];
    let below = 0;
    for (const [index, count] of this.counts.entries()) {
      below += count;
      values.push({ metricName: `${name}_bucket`, labels: { le: this.bounds[index] ?? '+Inf' }, sharedLabels: labels, value: below });
    }
    const common = { labels: NO_LABELS, sharedLabels: labels };
    return [...values, { ...common, metricName: `${name}_sum`, value: this.sum }, { ...common, metricName: `${name}_count`, value: below }];
  }
}
