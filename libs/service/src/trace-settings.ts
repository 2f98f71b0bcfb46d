import { baseUrl, choice, optionalText } from '@tokone/http';
import type { Setting, Settings } from '@tokone/http';
import { TRACE_PROTOCOLS, TRACE_SAMPLERS, startTracing } from '@tokone/telemetry';
import type { Logger, ServiceMetrics, Tracing } from '@tokone/telemetry';

const ratio: Setting<number> = {
  about: 'Share of the requests that a sampler by trace id records, from 0 to 1.',
  fallback: '0.01',
  read(value = '') {
    const number = Number(value);
    if (!/^\d*\.?\d+$/.test(value) || number > 1) throw new Error('is not a number from 0 to 1.');
    return number;
  },
};

/** Of every process that records spans, under the names of OpenTelemetry; the SDK itself reads the last two. */
export const TRACE_SETTINGS = {
  OTEL_EXPORTER_OTLP_ENDPOINT: baseUrl('Base URL of an OTLP receiver for traces: http://collector:4318. Unset: nothing is recorded, and nothing of it costs anything.'),
  OTEL_EXPORTER_OTLP_PROTOCOL: choice('How spans are written for the receiver.', 'http/protobuf', TRACE_PROTOCOLS),
  OTEL_TRACES_SAMPLER: choice('Which requests are recorded; the gateway decides for all services.', 'parentbased_traceidratio', TRACE_SAMPLERS),
  OTEL_TRACES_SAMPLER_ARG: ratio,
  OTEL_EXPORTER_OTLP_HEADERS: { ...optionalText('Headers for the receiver, name=value with commas in between; a credential of it stands here.'), secret: true },
  OTEL_RESOURCE_ATTRIBUTES: optionalText('What every span says of its process beside service.name, name=value with commas in between.'),
} as const;
export type TraceSettings = Settings<typeof TRACE_SETTINGS>;

/** The tracing of a process, whose name is as in `apps/<name>`. */
export function openTracing(service: string, settings: TraceSettings, { logger, metrics }: { logger: Logger; metrics: ServiceMetrics }): Promise<Tracing> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: protocol, OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: share } = settings;
  return startTracing({ service, endpoint, protocol, sampler, ratio: share, logger, onLost: (spans) => metrics.spansLost(spans) });
}
