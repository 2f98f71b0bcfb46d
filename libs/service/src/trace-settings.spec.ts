import { describe, expect, it } from '@jest/globals';
import { readSettings } from '@tokone/http';
import { ServiceMetrics, silentLogger } from '@tokone/telemetry';
import { OtlpReceiver } from '@tokone/telemetry/otlp-receiver';
import { TRACE_SETTINGS, openTracing } from './trace-settings.js';

describe('the settings of traces', () => {
  it('record nothing until a receiver is named, and then one request of a hundred', () => {
    expect(readSettings(TRACE_SETTINGS, {})).toMatchObject({ OTEL_EXPORTER_OTLP_ENDPOINT: undefined, OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: 0.01 });
  });

  it.each([['0', 0], ['1', 1], ['0.5', 0.5], ['.25', 0.25], ['1.0', 1]])('read the share %s', (text, share) => {
    expect(readSettings(TRACE_SETTINGS, { OTEL_TRACES_SAMPLER_ARG: text }).OTEL_TRACES_SAMPLER_ARG).toBe(share);
  });

  it.each(['1.1', '-1', 'x', '1e-3', '50%'])('refuse the share %s', (text) => {
    expect(() => readSettings(TRACE_SETTINGS, { OTEL_TRACES_SAMPLER_ARG: text })).toThrow('is not a number from 0 to 1.');
  });

  it('never show what may be a credential of the receiver', () => {
    expect(TRACE_SETTINGS.OTEL_EXPORTER_OTLP_HEADERS.secret).toBe(true);
  });
});

it('spans go to the receiver under the name of the service, and those that it does not take are counted', async () => {
  const [receiver, hanging] = [await OtlpReceiver.start(), await OtlpReceiver.start({ hangs: true })];
  const metrics = new ServiceMetrics(['billing']);
  const recordOne = async (environment: Record<string, string>): Promise<void> => {
    const tracing = await openTracing('billing', readSettings(TRACE_SETTINGS, { ...environment, OTEL_TRACES_SAMPLER: 'always_on' }), { logger: silentLogger, metrics });
    tracing.startRequest('01940000-0000-7000-8000-000000000001', { name: 'one', kind: 'internal' })?.end();
    await tracing.close();
  };
  try {
    await recordOne(receiver.settings);
    expect(receiver.spans).toEqual([expect.objectContaining({ service: 'billing', name: 'one' })]);
    expect(await metrics.text()).toContain('\ntokone_spans_lost_total 0\n');
    await recordOne(hanging.settings);
    expect(await metrics.text()).toContain('\ntokone_spans_lost_total 1\n');
  } finally {
    metrics.close();
    await receiver.close();
    await hanging.close();
  }
});
