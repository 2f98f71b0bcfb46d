import type { Logger } from '../logger.js';
import { noTracing } from './tracing.js';
import type { Tracing } from './tracing.js';

/** As the specification of OpenTelemetry's environment variables names them. */
export const TRACE_SAMPLERS = ['parentbased_traceidratio', 'parentbased_always_on', 'parentbased_always_off', 'traceidratio', 'always_on', 'always_off'] as const;
export type TraceSampler = (typeof TRACE_SAMPLERS)[number];
export const TRACE_PROTOCOLS = ['http/protobuf', 'http/json'] as const;
export type TraceProtocol = (typeof TRACE_PROTOCOLS)[number];

export interface TracingOptions {
  /** As in `apps/<name>`. */
  service: string;
  /** Base URL of an OTLP receiver; undefined: nothing is recorded, and nothing of the SDK is loaded. */
  endpoint: string | undefined;
  protocol: TraceProtocol;
  sampler: TraceSampler;
  /** Of the samplers by trace id, from 0 to 1. */
  ratio: number;
  logger: Logger;
  /** Spans that no receiver will see. */
  onLost(spans: number): void;
}

/** The process's tracing. Its owner closes it, last of all parts. */
export async function startTracing(options: TracingOptions): Promise<Tracing> {
  const { endpoint } = options;
  if (endpoint === undefined) return noTracing;
  const { SdkTracing } = await import('./sdk-tracing.js');
  return new SdkTracing({ ...options, endpoint });
}
