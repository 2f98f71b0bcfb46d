import type { Platform } from '@tokone/protocol';
import type { UpstreamOutcome } from './label-sets.js';
import type { MetricRegistry } from './metric-registry.js';
import { MOST_MODELS, OTHER } from './metric-table.js';
import type { Count, Distribution } from './series.js';

/** What an adapter tells of its attempts at upstreams. Times in milliseconds. `model` is of the price book: it was found there before it came here. */
export interface UpstreamMetrics {
  /** The first bytes of a good answer. */
  firstByte(model: string, afterMs: number): void;
  /** An attempt is over. */
  ended(model: string, outcome: UpstreamOutcome, durationMs: number): void;
  /** A request goes on to another upstream. */
  failedOver(): void;
}

/** Tells nobody. */
export const noUpstreamMetrics: UpstreamMetrics = { firstByte() {}, ended() {}, failedOver() {} };

interface ModelSeries {
  outcomes: Map<UpstreamOutcome, Count>;
  duration: Distribution;
  firstByte: Distribution;
}

export class RegistryUpstreamMetrics implements UpstreamMetrics {
  /** As many as the table tells apart; beyond it a model that is not known yet is `other`. */
  private readonly models = new Map<string, ModelSeries>();

  constructor(
    private readonly registry: MetricRegistry,
    private readonly provider: Platform,
  ) {}

  firstByte(model: string, afterMs: number): void {
    this.seriesOf(model).firstByte.observe(afterMs / 1000);
  }

  ended(model: string, outcome: UpstreamOutcome, durationMs: number): void {
    const series = this.seriesOf(model);
    series.duration.observe(durationMs / 1000);
    let count = series.outcomes.get(outcome);
    if (!count) series.outcomes.set(outcome, (count = this.registry.counter('upstream_requests_total').with({ provider: this.provider, model, outcome })));
    count.add();
  }

  failedOver(): void {
    this.registry.counter('upstream_failovers_total').with({ provider: this.provider }).add();
  }

  private seriesOf(model: string): ModelSeries {
    const known = this.models.get(model);
    if (known) return known;
    const kept = this.models.size < MOST_MODELS ? model : OTHER;
    const labels = { provider: this.provider, model: kept };
    const series = this.models.get(kept) ?? {
      outcomes: new Map(),
      duration: this.registry.histogram('upstream_request_duration_seconds').with(labels),
      firstByte: this.registry.histogram('upstream_first_byte_seconds').with(labels),
    };
    this.models.set(kept, series);
    return series;
  }
}
