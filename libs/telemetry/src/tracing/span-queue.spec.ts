import { expect, it } from '@jest/globals';
import { TracerProvider } from '@opentelemetry/sdk-trace';
import type { SpanExporter } from '@opentelemetry/sdk-trace';
import { silentLogger } from '../logger.js';
import { until } from './fixtures/until.js';
import { SpanQueue } from './span-queue.js';

/** Takes spans, and answers only when it is told to. */
class SlowExporter implements SpanExporter {
  taken = 0;
  private readonly waiting: (() => void)[] = [];

  export(spans: readonly unknown[], done: Parameters<SpanExporter['export']>[1]): void {
    this.taken += spans.length;
    this.waiting.push(() => done({ code: 0 }));
  }

  answer(): void {
    for (const answer of this.waiting.splice(0)) answer();
  }

  shutdown(): Promise<void> {
    return Promise.resolve();
  }
}

it('keeps no more spans than it may while the receiver is slow, and counts each that it lets go', async () => {
  let lost = 0;
  const exporter = new SlowExporter();
  const queue = new SpanQueue({ exporter, logger: silentLogger, onLost: (spans) => void (lost += spans), maxQueued: 4, delayMs: 1 });
  const tracer = new TracerProvider({ spanProcessors: [queue] }).getTracer('test');
  const end = (spans: number): void => {
    for (let span = 0; span < spans; span++) tracer.startSpan('x').end();
  };
  end(4);
  await until(() => exporter.taken === 4);
  // Four are under way, four wait, and three are too many.
  end(7);
  expect([exporter.taken, queue.unreceived, lost]).toEqual([4, 8, 3]);
  exporter.answer();
  await until(() => exporter.taken === 8);
  exporter.answer();
  end(1);
  await until(() => exporter.taken === 9);
  exporter.answer();
  expect([queue.unreceived, lost]).toEqual([0, 3]);
  await queue.shutdown();
});
