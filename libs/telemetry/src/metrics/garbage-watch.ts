import { PerformanceObserver, constants } from 'node:perf_hooks';
import type { NodeGCPerformanceDetail } from 'node:perf_hooks';

const KINDS = new Map<number | undefined, string>([
  [constants.NODE_PERFORMANCE_GC_MAJOR, 'major'],
  [constants.NODE_PERFORMANCE_GC_MINOR, 'minor'],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, 'incremental'],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, 'weakcb'],
]);

/** Tells of each garbage collection of this process. Owner: close(). */
export class GarbageWatch {
  private readonly observer: PerformanceObserver;

  constructor(collected: (kind: string, durationMs: number) => void) {
    this.observer = new PerformanceObserver((list) => {
      for (const { detail, duration } of list.getEntries()) {
        const kind = KINDS.get((detail as NodeGCPerformanceDetail | undefined)?.kind);
        if (kind !== undefined) collected(kind, duration);
      }
    });
    this.observer.observe({ entryTypes: ['gc'] });
  }

  close(): void {
    this.observer.disconnect();
  }
}
