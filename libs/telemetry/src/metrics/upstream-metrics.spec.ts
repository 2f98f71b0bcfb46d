import { describe, expect, it } from '@jest/globals';
import { MetricRegistry } from './metric-registry.js';
import { MOST_MODELS } from './metric-table.js';
import { RegistryUpstreamMetrics } from './upstream-metrics.js';

describe('the metrics of an adapter', () => {
  it('count attempts by model and outcome, and how long they took', async () => {
    const registry = new MetricRegistry(['adapter']);
    const metrics = new RegistryUpstreamMetrics(registry, 'anthropic');
    metrics.firstByte('claude', 250);
    metrics.ended('claude', 'whole', 2_000);
    metrics.ended('claude', 'rate_limited', 10);
    metrics.failedOver();
    const text = await registry.text();
    expect(text).toContain('upstream_requests_total{provider="anthropic",model="claude",outcome="whole"} 1\n');
    expect(text).toContain('upstream_requests_total{provider="anthropic",model="claude",outcome="rate_limited"} 1\n');
    expect(text).toContain('upstream_request_duration_seconds_sum{provider="anthropic",model="claude"} 2.01\n');
    expect(text).toContain('upstream_first_byte_seconds_bucket{le="0.25",provider="anthropic",model="claude"} 1\n');
    expect(text).toContain('upstream_failovers_total{provider="anthropic"} 1\n');
  });

  it('stay bounded, whatever models are asked for: the memory for them too', async () => {
    const registry = new MetricRegistry(['adapter']);
    const metrics = new RegistryUpstreamMetrics(registry, 'openai');
    for (let number = 0; number < 5_000; number++) {
      metrics.firstByte(`model-${number}`, 1);
      metrics.ended(`model-${number}`, 'whole', 1);
    }
    const text = await registry.text();
    const counts = [...text.matchAll(/^upstream_requests_total\{.*model="(.*?)".*\} (\d+)$/gm)].map(([, model, count]) => [model, Number(count)]);
    expect(counts).toHaveLength(MOST_MODELS + 1);
    expect(counts).toContainEqual(['other', 5_000 - MOST_MODELS]);
    expect((metrics as unknown as { models: Map<string, unknown> }).models.size).toBe(MOST_MODELS + 1);
  });
});
