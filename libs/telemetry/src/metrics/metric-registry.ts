import { Registry } from 'prom-client';
import type { Metric } from 'prom-client';
import { METRICS, metricsOf } from './metric-table.js';
import type { LabelsOf, MetricName, MetricRow, MetricService, NameOf } from './metric-table.js';
import { MetricFamily } from './metric-family.js';
import { Readings } from './readings.js';
import type { Reading } from './readings.js';
import { Count, Distribution, Level } from './series.js';
import type { Series } from './series.js';

export interface Family<Name extends MetricName, Kind extends Series> {
  /** The series of these labels; to be kept by whoever records often. */
  with(labels: LabelsOf<Name>): Kind;
}

/** A gauge of a single number, and what tells it. */
export type PlainGauge = { [Name in NameOf<'gauge'>]: keyof LabelsOf<Name> extends never ? Name : never }[NameOf<'gauge'>];

/**
 * The metrics of one process: made from the table, for the services that the process is. Nothing here is global, so that
 * two of them in one process know nothing of each other. Owner: whoever made it; it has nothing to close.
 */
export class MetricRegistry {
  /** prom-client's own, for the metrics of the process itself. */
  readonly registry = new Registry();
  private readonly families = new Map<MetricName, MetricFamily<Series>>();
  private readonly readings = new Readings();

  constructor(services: readonly MetricService[]) {
    for (const name of metricsOf(services)) {
      const row: MetricRow = METRICS[name];
      const family = new MetricFamily<Series>(name, row, () => seriesOf(row));
      this.families.set(name, family);
      // prom-client asks of a metric what a family has; its type names its own classes.
      this.registry.registerMetric(family as unknown as Metric);
    }
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  counter<Name extends NameOf<'counter'>>(name: Name): Family<Name, Count> {
    return this.family(name) as unknown as Family<Name, Count>;
  }

  histogram<Name extends NameOf<'histogram'>>(name: Name): Family<Name, Distribution> {
    return this.family(name) as unknown as Family<Name, Distribution>;
  }

  /** `read` is called at each look. What it throws, or undefined, is no line. */
  gauge(name: PlainGauge, read: () => number | undefined): void {
    this.readAtLook({ gauges: [name], read: (set) => set(name, {}, read() ?? Number.NaN) });
  }

  /** One question whose answer fills gauges, asked at each look. What is not known in time has no line. */
  readAtLook<Name extends NameOf<'gauge'>>(reading: Reading<Name>): void {
    const families = reading.gauges.map((name) => this.family(name) as unknown as MetricFamily<Level>);
    this.readings.add(reading as unknown as Reading<NameOf<'gauge'>>, families);
  }

  /** All metrics as Prometheus reads them, version 0.0.4 of its text. */
  async text(): Promise<string> {
    await this.readings.refresh();
    return this.registry.metrics();
  }

  private family(name: MetricName): MetricFamily<Series> {
    const family = this.families.get(name);
    if (!family) throw new RangeError(`this process has no metric ${name}`);
    return family;
  }
}

function seriesOf({ kind, buckets = [] }: MetricRow): Series {
  switch (kind) {
    case 'counter':
      return new Count();
    case 'gauge':
      return new Level();
    case 'histogram':
      return new Distribution(buckets);
  }
}
