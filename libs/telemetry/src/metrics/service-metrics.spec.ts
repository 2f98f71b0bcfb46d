import { afterEach, describe, expect, it } from '@jest/globals';
import { METRIC_SERVICES, metricsOf } from './metric-table.js';
import { PROCESS_METRIC_NAMES, PROCESS_SERIES_BOUND } from './process-metrics.js';
import { ServiceMetrics } from './service-metrics.js';

const opened: ServiceMetrics[] = [];
afterEach(() => {
  for (const metrics of opened.splice(0)) metrics.close();
});

function open(services: ConstructorParameters<typeof ServiceMetrics>[0]): ServiceMetrics {
  const metrics = new ServiceMetrics(services);
  opened.push(metrics);
  return metrics;
}

/** Keeps the event loop, as a large request might. */
function block(milliseconds: number): void {
  for (const untilMs = performance.now() + milliseconds; performance.now() < untilMs; );
}

const valueOf = (text: string, series: string): number => Number(new RegExp(`^${series.replaceAll(/[{}]/g, '\\$&')} (.*)$`, 'm').exec(text)?.[1]);

describe('the metrics of a service', () => {
  it('are those of its table and of its process, within the bound', async () => {
    const text = await open(METRIC_SERVICES).text();
    const names = [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name);
    expect(new Set(names)).toEqual(new Set([...metricsOf(METRIC_SERVICES), ...PROCESS_METRIC_NAMES]));
    const ofProcess = text.split('\n').filter((line) => /^(process|nodejs)_/.test(line));
    expect(ofProcess.length).toBeLessThan(PROCESS_SERIES_BOUND);
    expect(valueOf(text, 'process_resident_memory_bytes')).toBeGreaterThan(1_000_000);
    expect(valueOf(text, 'process_cpu_seconds_total')).toBeGreaterThan(0);
  });

  it('tell how late the event loop was, under both names alike', async () => {
    const metrics = open(['gateway']);
    await new Promise((resolve) => setImmediate(resolve));
    await metrics.text();
    // The timer of the watch must be due within the pause, and seen late once it is over.
    for (let late = 0, deadlineMs = performance.now() + 10_000; late < 0.05; ) {
      expect(performance.now()).toBeLessThan(deadlineMs);
      await new Promise((resolve) => setTimeout(resolve, 15));
      block(600);
      await new Promise((resolve) => setTimeout(resolve, 15));
      const text = await metrics.text();
      late = valueOf(text, 'gw_event_loop_lag_seconds{statistic="max"}');
      expect(valueOf(text, 'nodejs_eventloop_lag_max_seconds')).toBe(late);
    }
  });
});
