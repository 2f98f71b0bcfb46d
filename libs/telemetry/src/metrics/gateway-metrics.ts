import type { AlarmKindOf } from './alarm-metrics.js';
import { ADMISSION_RESULTS, OVERHEAD_PHASES, ROUTES } from './label-sets.js';
import type { AbortedBy, AdmissionResult, CodeClass, RequestCause, RequestRoute, SpoolOperation, UsageSource } from './label-sets.js';
import type { MetricRegistry } from './metric-registry.js';
import type { Count, Distribution } from './series.js';

export type GatewayAlarmKind = AlarmKindOf<'gw_alarms_total'>;
export type OverheadPhase = (typeof OVERHEAD_PHASES)[number];

/** What is read when somebody looks. */
export interface GatewayView {
  /** Requests that are being read and checked; running ones; those of them that are read on for nobody. */
  inflight(): { arriving: number; running: number; absent: number };
  holds(): { held: number; settled: number };
  spool(): { accepting: boolean; bytes: number; limitBytes: number; unacknowledged: number; oldestSeconds: number };
}

/** What a gateway tells of itself. Called for every request: nothing here may take a microsecond, or throw. Times in milliseconds. */
export interface GatewayMetrics {
  /** An answer has been closed. `status` is what was sent, 0 for nothing. */
  ended(route: RequestRoute, outcome: { status: number; cause: RequestCause }, durationMs: number): void;
  overhead(phase: OverheadPhase, durationMs: number): void;
  firstByte(afterMs: number): void;
  keyCache(result: 'hit' | 'miss'): void;
  admission(result: AdmissionResult): void;
  /** Granted ÷ held. */
  holdUsed(share: number): void;
  streamAborted(by: AbortedBy, usageSource: UsageSource): void;
  alarm(kind: GatewayAlarmKind): void;
  readonly spool: { synced(durationMs: number): void; failed(operation: SpoolOperation): void };
  watch(view: GatewayView): void;
}

/** Tells nobody. */
export const noGatewayMetrics: GatewayMetrics = {
  ended() {},
  overhead() {},
  firstByte() {},
  keyCache() {},
  admission() {},
  holdUsed() {},
  streamAborted() {},
  alarm() {},
  spool: { synced() {}, failed() {} },
  watch() {},
};

/** One route's series, made when they are first used: most of the thousands of combinations never are. */
interface RouteSeries {
  requests: Map<CodeClass, Map<RequestCause, Count>>;
  durations: Map<CodeClass, Distribution>;
}

const CLASSES: readonly CodeClass[] = ['none', 'none', '2xx', '3xx', '4xx', '5xx'];

export class RegistryGatewayMetrics implements GatewayMetrics {
  readonly spool: GatewayMetrics['spool'];
  private readonly routes = new Map<RequestRoute, RouteSeries>(ROUTES.map((route) => [route, { requests: new Map(), durations: new Map() }]));
  private readonly phases: ReadonlyMap<OverheadPhase, Distribution>;
  private readonly firstBytes: Distribution;
  private readonly cache: Record<'hit' | 'miss', Count>;
  private readonly admissions: ReadonlyMap<AdmissionResult, Count>;
  private readonly holdRatio: Distribution;

  constructor(private readonly registry: MetricRegistry) {
    const overhead = registry.histogram('gw_overhead_seconds');
    this.phases = new Map(OVERHEAD_PHASES.map((phase) => [phase, overhead.with({ phase })]));
    this.firstBytes = registry.histogram('gw_first_byte_seconds').with({});
    const cache = registry.counter('gw_key_cache_total');
    this.cache = { hit: cache.with({ result: 'hit' }), miss: cache.with({ result: 'miss' }) };
    const admissions = registry.counter('gw_admission_total');
    this.admissions = new Map(ADMISSION_RESULTS.map((result) => [result, admissions.with({ result })]));
    this.holdRatio = registry.histogram('gw_hold_ratio').with({});
    const syncs = registry.histogram('gw_spool_fsync_seconds').with({});
    const errors = registry.counter('gw_spool_errors_total');
    this.spool = { synced: (durationMs) => syncs.observe(durationMs / 1000), failed: (op) => errors.with({ op }).add() };
  }

  ended(route: RequestRoute, { status, cause }: { status: number; cause: RequestCause }, durationMs: number): void {
    const series = this.routes.get(route);
    if (!series) return;
    const codeClass = CLASSES[Math.floor(status / 100)] ?? 'none';
    const causes = series.requests.get(codeClass) ?? this.openClass(series, route, codeClass);
    const count = causes.get(cause) ?? this.openCause(causes, { route, code_class: codeClass, cause });
    count.add();
    series.durations.get(codeClass)?.observe(durationMs / 1000);
  }

  overhead(phase: OverheadPhase, durationMs: number): void {
    this.phases.get(phase)?.observe(durationMs / 1000);
  }

  firstByte(afterMs: number): void {
    this.firstBytes.observe(afterMs / 1000);
  }

  keyCache(result: 'hit' | 'miss'): void {
    this.cache[result].add();
  }

  admission(result: AdmissionResult): void {
    this.admissions.get(result)?.add();
  }

  holdUsed(share: number): void {
    this.holdRatio.observe(share);
  }

  streamAborted(by: AbortedBy, usageSource: UsageSource): void {
    this.registry.counter('gw_stream_abort_total').with({ by, usage_source: usageSource }).add();
  }

  alarm(kind: GatewayAlarmKind): void {
    this.registry.counter('gw_alarms_total').with({ kind }).add();
  }

  watch(view: GatewayView): void {
    const { registry } = this;
    registry.readAtLook({
      gauges: ['gw_inflight'],
      read: (set) => {
        const inflight = view.inflight();
        for (const kind of ['arriving', 'running', 'absent'] as const) set('gw_inflight', { kind }, inflight[kind]);
      },
    });
    registry.readAtLook({
      gauges: ['gw_holds_open', 'gw_holds_unposted'],
      read: (set) => {
        const { held, settled } = view.holds();
        set('gw_holds_open', {}, held);
        set('gw_holds_unposted', {}, settled);
      },
    });
    registry.readAtLook({
      gauges: ['gw_accepting', 'gw_spool_bytes', 'gw_spool_limit_bytes', 'gw_usage_unacked', 'gw_spool_oldest_seconds'],
      read: (set) => {
        const { accepting, bytes, limitBytes, unacknowledged, oldestSeconds } = view.spool();
        set('gw_accepting', {}, accepting ? 1 : 0);
        set('gw_spool_bytes', {}, bytes);
        set('gw_spool_limit_bytes', {}, limitBytes);
        set('gw_usage_unacked', {}, unacknowledged);
        set('gw_spool_oldest_seconds', {}, oldestSeconds);
      },
    });
  }

  private openClass(series: RouteSeries, route: RequestRoute, codeClass: CodeClass): Map<RequestCause, Count> {
    const causes = new Map<RequestCause, Count>();
    series.requests.set(codeClass, causes);
    series.durations.set(codeClass, this.registry.histogram('gw_http_request_duration_seconds').with({ route, code_class: codeClass }));
    return causes;
  }

  private openCause(causes: Map<RequestCause, Count>, labels: { route: RequestRoute; code_class: CodeClass; cause: RequestCause }): Count {
    const count = this.registry.counter('gw_http_requests_total').with(labels);
    causes.set(labels.cause, count);
    return count;
  }
}
