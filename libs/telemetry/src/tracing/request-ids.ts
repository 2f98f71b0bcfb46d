import { RandomIdGenerator } from '@opentelemetry/sdk-trace';
import type { IdGenerator } from '@opentelemetry/sdk-trace';

/** Ids of spans: random, except those of the first span of a request, which are made of the request id. */
export class RequestIds implements IdGenerator {
  private readonly random = new RandomIdGenerator();
  private traceId: string | undefined;

  /** What `start` starts has the ids of this trace. */
  within<Started>(traceId: string, start: () => Started): Started {
    this.traceId = traceId;
    try {
      return start();
    } finally {
      this.traceId = undefined;
    }
  }

  generateTraceId = (): string => this.traceId ?? this.random.generateTraceId();

  generateSpanId = (): string => this.traceId?.slice(16) ?? this.random.generateSpanId();
}
