import type { ReadableSpan, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace';
import { BatchSpanProcessor } from '@opentelemetry/sdk-trace';
import type { Logger } from '../logger.js';

export interface SpanQueueOptions {
  exporter: SpanExporter;
  logger: Logger;
  /** Spans that will never be received. */
  onLost(spans: number): void;
  /** Default 2,048 and 1 s. */
  maxQueued?: number;
  delayMs?: number;
}

const MAX_QUEUED = 2_048;
const MAX_BATCH = 512;
const DELAY_MS = 1_000;
/** As the SDK has it. */
const SUCCESS = 0;

type ExportDone = Parameters<SpanExporter['export']>[1];

/**
 * Spans on their way to the receiver: a bounded queue in front of the SDK's own batches, which counts what is lost. The
 * SDK drops in silence what is beyond its bound, and what a receiver does not take.
 */
export class SpanQueue implements SpanProcessor {
  private readonly batches: BatchSpanProcessor;
  private readonly maxQueued: number;
  /** Ended, and not yet handed to the exporter. */
  private waiting = 0;
  private underWay = 0;
  private failing = false;
  private givenUp = false;

  constructor(private readonly options: SpanQueueOptions) {
    this.maxQueued = options.maxQueued ?? MAX_QUEUED;
    const { exporter } = options;
    const counted: SpanExporter = {
      export: (spans, done) => this.hand(spans, done),
      shutdown: () => exporter.shutdown(),
      forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    };
    this.batches = new BatchSpanProcessor({ exporter: counted, maxQueueSize: this.maxQueued, maxExportBatchSize: Math.min(MAX_BATCH, this.maxQueued), scheduledDelayMillis: options.delayMs ?? DELAY_MS });
  }

  /** Spans that nobody has received yet. */
  get unreceived(): number {
    return this.waiting + this.underWay;
  }

  /** What has not been received is lost, and told; whatever becomes of it later is not. */
  giveUp(): void {
    const spans = this.unreceived;
    if (spans === 0) return;
    this.givenUp = true;
    this.options.onLost(spans);
    this.options.logger.warn({ spans }, 'spans were not received before the end, and are lost');
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    if (this.waiting >= this.maxQueued) return this.options.onLost(1);
    this.waiting++;
    this.batches.onEnd(span);
  }

  forceFlush(): Promise<void> {
    return this.batches.forceFlush();
  }

  shutdown(): Promise<void> {
    return this.batches.shutdown();
  }

  private hand(spans: ReadableSpan[], done: ExportDone): void {
    this.waiting -= spans.length;
    this.underWay += spans.length;
    this.options.exporter.export(spans, (result) => {
      this.underWay -= spans.length;
      if (this.givenUp) return done({ code: SUCCESS });
      if (result.code === SUCCESS) this.received();
      else this.refused(spans.length, result.error);
      // Told here already: the SDK would write the error where it writes its own.
      done({ code: SUCCESS });
    });
  }

  private received(): void {
    if (this.failing) this.options.logger.info({}, 'spans are received again');
    this.failing = false;
  }

  /** One line for a receiver that is away, however long. */
  private refused(spans: number, error: Error | undefined): void {
    this.options.onLost(spans);
    if (!this.failing) this.options.logger.warn({ spans, cause: String(error) }, 'spans are not received, and are lost until they are; nothing else is');
    this.failing = true;
  }
}
