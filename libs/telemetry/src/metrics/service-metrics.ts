import { LoopDelay } from './loop-delay.js';
import { MetricRegistry } from './metric-registry.js';
import type { MetricService } from './metric-table.js';
import { ProcessMetrics } from './process-metrics.js';

/** The metrics of a running service, its process included. Owner: close(), which ends what watches the process. */
export class ServiceMetrics extends MetricRegistry {
  private readonly delay = new LoopDelay();
  private readonly process: ProcessMetrics;

  constructor(services: readonly MetricService[]) {
    super(services);
    this.process = new ProcessMetrics(this.registry, this.delay);
    if (!services.includes('gateway')) return;
    this.readAtLook({
      gauges: ['gw_event_loop_lag_seconds'],
      read: (set) => {
        const late = this.delay.seconds();
        for (const statistic of ['mean', 'p50', 'p99', 'max'] as const) set('gw_event_loop_lag_seconds', { statistic }, late[statistic]);
      },
    });
  }

  /** Spans that no receiver will see. */
  spansLost(spans: number): void {
    this.process.spansLost(spans);
  }

  close(): void {
    this.process.close();
    this.delay.close();
  }
}
