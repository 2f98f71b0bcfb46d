import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import heapSizeAndUsed from 'prom-client/lib/metrics/heapSizeAndUsed.js';
import heapSpaces from 'prom-client/lib/metrics/heapSpacesSizeAndUsed.js';
import osMemory from 'prom-client/lib/metrics/osMemoryHeap.js';
import processCpu from 'prom-client/lib/metrics/processCpuTotal.js';
import mostDescriptors from 'prom-client/lib/metrics/processMaxFileDescriptors.js';
import openDescriptors from 'prom-client/lib/metrics/processOpenFileDescriptors.js';
import activeResources from 'prom-client/lib/metrics/processResources.js';
import startTime from 'prom-client/lib/metrics/processStartTime.js';
import nodeVersion from 'prom-client/lib/metrics/version.js';
import { GarbageWatch } from './garbage-watch.js';
import type { LoopDelay } from './loop-delay.js';

/** Of prom-client, under its names; those that a dashboard of Node expects. */
const PARTS = [processCpu, startTime, osMemory, openDescriptors, mostDescriptors, activeResources, heapSizeAndUsed, heapSpaces, nodeVersion];

/** What the process itself exposes on Linux, in every service; nowhere more than `PROCESS_SERIES_BOUND` lines. */
export const PROCESS_METRIC_NAMES = [
  'process_cpu_user_seconds_total',
  'process_cpu_system_seconds_total',
  'process_cpu_seconds_total',
  'process_start_time_seconds',
  'process_resident_memory_bytes',
  'process_virtual_memory_bytes',
  'process_heap_bytes',
  'process_open_fds',
  'process_max_fds',
  'nodejs_active_resources',
  'nodejs_active_resources_total',
  'nodejs_heap_size_total_bytes',
  'nodejs_heap_size_used_bytes',
  'nodejs_external_memory_bytes',
  'nodejs_heap_space_size_total_bytes',
  'nodejs_heap_space_size_used_bytes',
  'nodejs_heap_space_size_available_bytes',
  'nodejs_version_info',
  'nodejs_eventloop_lag_mean_seconds',
  'nodejs_eventloop_lag_p50_seconds',
  'nodejs_eventloop_lag_p99_seconds',
  'nodejs_eventloop_lag_max_seconds',
  'nodejs_gc_duration_seconds',
  'tokone_spans_lost_total',
] as const;
/** Kinds of resources, heap spaces and collections are Node's, some tens of each. */
export const PROCESS_SERIES_BOUND = 250;

const LAG_METRICS = [
  ['nodejs_eventloop_lag_mean_seconds', 'mean'],
  ['nodejs_eventloop_lag_p50_seconds', 'p50'],
  ['nodejs_eventloop_lag_p99_seconds', 'p99'],
  ['nodejs_eventloop_lag_max_seconds', 'max'],
] as const;
const COLLECTION_BUCKETS = [0.001, 0.01, 0.1, 1, 2, 5];

/** Memory, processor, descriptors, collections and the event loop of this process, and the spans that it lost. Owner: close(). */
export class ProcessMetrics {
  private readonly garbage: GarbageWatch;
  private readonly lostSpans: Counter;

  /** `delay` stays its owner's. */
  constructor(registry: Registry, delay: LoopDelay) {
    for (const part of PARTS) part(registry);
    for (const [name, statistic] of LAG_METRICS) {
      const collect = function (this: Gauge): void {
        this.set(delay.seconds()[statistic]);
      };
      new Gauge({ name, help: `How late the event loop was since the last look: ${statistic}.`, registers: [registry], collect });
    }
    this.lostSpans = new Counter({ name: 'tokone_spans_lost_total', help: 'Spans that were recorded and never received: the receiver was away, slow, or refused them.', registers: [registry] });
    const collections = new Histogram({ name: 'nodejs_gc_duration_seconds', help: 'Garbage collections by kind.', labelNames: ['kind'], buckets: COLLECTION_BUCKETS, registers: [registry] });
    this.garbage = new GarbageWatch((kind, durationMs) => collections.observe({ kind }, durationMs / 1000));
  }

  spansLost(spans: number): void {
    this.lostSpans.inc(spans);
  }

  close(): void {
    this.garbage.close();
  }
}
