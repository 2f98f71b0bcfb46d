import { OTHER, seriesBoundOf } from './metric-table.js';
import type { MetricRow } from './metric-table.js';
import type { MetricValue, Series } from './series.js';

/** Up to so many lines all of them are there from the start: what first appears as 1 has never grown, for whoever computes a rate. */
const SHOWN_FROM_START = 100;

/** One metric with all its series. What it has besides is what prom-client's registry asks of a metric. */
export class MetricFamily<Kind extends Series> {
  readonly help: string;
  readonly type: MetricRow['kind'];
  readonly aggregator = 'sum';
  private readonly series = new Map<string, { labels: Readonly<Record<string, string>>; series: Kind }>();
  /** Values that were told apart, of each open label. */
  private readonly seen = new Map<string, Set<string>>();

  constructor(
    readonly name: string,
    private readonly row: MetricRow,
    private readonly make: () => Kind,
  ) {
    this.help = row.help;
    this.type = row.kind;
    if (row.kind !== 'gauge' && isClosed(row) && seriesBoundOf(row) <= SHOWN_FROM_START) for (const labels of allLabels(row)) this.with(labels);
  }

  /**
   * The series of these labels, made when it is missing: to be kept by whoever records often. Beyond the bound of an open
   * label it is that of `other`. @throws RangeError for a label, or a value of a closed set, that the table does not have.
   */
  with(labels: Readonly<Record<string, string>>): Kind {
    const bounded = this.bound(labels);
    const key = JSON.stringify(Object.values(bounded));
    let found = this.series.get(key);
    if (!found) this.series.set(key, (found = { labels: bounded, series: this.make() }));
    return found.series;
  }

  /** Nothing is known of any series. */
  clear(): void {
    this.series.clear();
  }

  get(): Promise<{ name: string; help: string; type: string; aggregator: string; values: MetricValue[] }> {
    const { name, help, type, aggregator } = this;
    const values = [...this.series.values()].flatMap(({ labels, series }) => series.values(name, labels));
    return Promise.resolve({ name, help, type, aggregator, values });
  }

  private bound(labels: Readonly<Record<string, string>>): Record<string, string> {
    const bounded: Record<string, string> = {};
    for (const [label, values] of Object.entries(this.row.labels)) {
      const value = labels[label] ?? '';
      if ('most' in values) bounded[label] = this.toldApart(label, value, values.most);
      else if (values.includes(value)) bounded[label] = value;
      else throw new RangeError(`${this.name} has no ${label} "${value}"`);
    }
    return bounded;
  }

  private toldApart(label: string, value: string, most: number): string {
    const seen = this.seen.get(label) ?? new Set<string>();
    this.seen.set(label, seen);
    if (value === '' || (!seen.has(value) && seen.size >= most)) return OTHER;
    if (value !== OTHER) seen.add(value);
    return value;
  }
}

function isClosed({ labels }: MetricRow): boolean {
  return Object.values(labels).every((values) => !('most' in values));
}

function allLabels({ labels }: MetricRow): Record<string, string>[] {
  let sets: Record<string, string>[] = [{}];
  for (const [label, values] of Object.entries(labels)) {
    if (!('most' in values)) sets = sets.flatMap((set) => values.map((value) => ({ ...set, [label]: value })));
  }
  return sets;
}
