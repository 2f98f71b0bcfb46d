import { ROOT_CONTEXT, SpanKind, SpanStatusCode, context as contexts, trace } from '@opentelemetry/api';
import type { Span as SdkSpan, SpanContext, Tracer } from '@opentelemetry/api';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { defaultResource, envDetector, resourceFromAttributes, serviceInstanceIdDetector } from '@opentelemetry/resources';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { AlwaysOffSampler, AlwaysOnSampler, ParentBasedSampler, SamplingDecision, TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace';
import type { Sampler } from '@opentelemetry/sdk-trace';
import { TRACEPARENT, traceIdOf } from '@tokone/protocol';
import { wireAttributes } from './gen-ai-names.js';
import type { SpanAttributes } from './gen-ai-names.js';
import { RequestIds } from './request-ids.js';
import { SpanQueue } from './span-queue.js';
import type { TraceSampler, TracingOptions } from './start-tracing.js';
import type { Span, SpanStart, Tracing } from './tracing.js';

const KINDS = { server: SpanKind.SERVER, client: SpanKind.CLIENT, producer: SpanKind.PRODUCER, consumer: SpanKind.CONSUMER, internal: SpanKind.INTERNAL } as const;
const SAMPLED = 1;
/** One batch, repetitions included: the next ones wait behind it. */
const EXPORT_DEADLINE_MS = 5_000;
/** A stop waits no longer for the receiver. */
const CLOSE_DEADLINE_MS = 2_000;

/**
 * `Tracing` by the SDK of OpenTelemetry. Imported only where a receiver is named. No instrumentation and no context
 * manager in use: contexts are passed on by hand, so that nothing but our spans costs anything. The SDK keeps its parts in
 * globals, so a process has one at a time.
 */
export class SdkTracing implements Tracing {
  readonly enabled = true;
  private readonly ids = new RequestIds();
  private readonly queue: SpanQueue;
  private readonly sampler: Sampler;
  private readonly sdk: NodeSDK;
  private readonly tracer: Tracer;

  constructor(options: TracingOptions & { endpoint: string }) {
    const Exporter = options.protocol === 'http/json' ? JsonExporter : ProtobufExporter;
    const exporter = new Exporter({ url: `${options.endpoint.replace(/\/+$/, '')}/v1/traces`, timeoutMillis: EXPORT_DEADLINE_MS });
    this.queue = new SpanQueue({ ...options, exporter });
    this.sampler = samplerOf(options.sampler, options.ratio);
    const own = resourceFromAttributes({ 'service.namespace': 'tokone', 'service.name': options.service });
    this.sdk = new NodeSDK({
      resource: defaultResource().merge(own),
      // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES stand above what we say.
      resourceDetectors: [serviceInstanceIdDetector, envDetector],
      sampler: this.sampler,
      idGenerator: this.ids,
      spanProcessors: [this.queue],
      metricReaders: [],
      logRecordProcessors: [],
      instrumentations: [],
      textMapPropagator: null,
    });
    this.sdk.start();
    this.tracer = trace.getTracer('tokone');
  }

  startRequest(requestId: string, start: SpanStart): Span | undefined {
    const traceId = traceIdOf(requestId);
    // Asked before the SDK asks it: what the SDK does for a span that it does not record takes several times as long.
    const { decision } = this.sampler.shouldSample(ROOT_CONTEXT, traceId, start.name, KINDS[start.kind], {}, []);
    return decision === SamplingDecision.NOT_RECORD ? undefined : this.ids.within(traceId, () => this.start(start));
  }

  startSpan(parent: string | null | undefined, start: SpanStart): Span | undefined {
    const context = contextOf(parent);
    if (context === undefined || context.traceFlags !== SAMPLED) return undefined;
    return this.start(start, context);
  }

  async close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise((resolve) => (timer = setTimeout(resolve, CLOSE_DEADLINE_MS)));
    await Promise.race([this.sdk.shutdown().catch(() => undefined), deadline]);
    clearTimeout(timer);
    trace.disable();
    contexts.disable();
    this.queue.giveUp();
  }

  private start({ name, kind, attributes = {} }: SpanStart, parent?: SpanContext): Span | undefined {
    const context = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent);
    const span = this.tracer.startSpan(name, { kind: KINDS[kind], attributes: wireAttributes(attributes) }, context);
    return span.isRecording() ? new RecordedSpan(span) : undefined;
  }
}

class RecordedSpan implements Span {
  constructor(private readonly span: SdkSpan) {}

  get traceparent(): string {
    const { traceId, spanId } = this.span.spanContext();
    return `00-${traceId}-${spanId}-01`;
  }

  set(attributes: SpanAttributes): void {
    this.span.setAttributes(wireAttributes(attributes));
  }

  link(traceparent: string): void {
    const context = contextOf(traceparent);
    if (context) this.span.addLink({ context });
  }

  fail(errorType: string): void {
    this.set({ errorType });
    this.span.setStatus({ code: SpanStatusCode.ERROR });
  }

  end(): void {
    this.span.end();
  }
}

/** Undefined for what is no W3C trace context. Of the flags, the first alone has a meaning to us. */
function contextOf(traceparent: string | null | undefined): SpanContext | undefined {
  if (traceparent === null || traceparent === undefined || !TRACEPARENT.test(traceparent)) return undefined;
  const traceFlags = Number.parseInt(traceparent.slice(53), 16) & SAMPLED;
  return { traceId: traceparent.slice(3, 35), spanId: traceparent.slice(36, 52), traceFlags, isRemote: true };
}

function samplerOf(name: TraceSampler, ratio: number): Sampler {
  const root = rootOf(name, ratio);
  return name.startsWith('parentbased_') ? new ParentBasedSampler({ root }) : root;
}

function rootOf(name: TraceSampler, ratio: number): Sampler {
  if (name.endsWith('always_on')) return new AlwaysOnSampler();
  return name.endsWith('always_off') ? new AlwaysOffSampler() : new TraceIdRatioBasedSampler(ratio);
}
