/** One line of the exposition, in prom-client's own shape. */
export interface MetricValue {
  value: number;
  labels: Readonly<Record<string, string | number>>;
  /** Where it is not the metric's name: `…_bucket`, `…_sum`, `…_count`. */
  metricName?: string;
}

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
    return [{ value: this.total, labels }];
  }
}

/** A number that is read when somebody looks. Without one there is no line: a number that is not known is not 0. */
export class Level implements Series {
  value: number | undefined;

  values(_name: string, labels: Readonly<Record<string, string>>): MetricValue[] {
    return this.value === undefined || Number.isNaN(this.value) ? [] : [{ value: this.value, labels }];
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
      values.push({ metricName: `${name}_bucket`, labels: { ...labels, le: this.bounds[index] ?? '+Inf' }, value: below });
    }
    return [...values, { metricName: `${name}_sum`, labels, value: this.sum }, { metricName: `${name}_count`, labels, value: below }];
  }
}
