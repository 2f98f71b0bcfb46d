import { describe, expect, it } from '@jest/globals';
import { RegistryGatewayMetrics } from './gateway-metrics.js';
import { MetricRegistry } from './metric-registry.js';

function gateway() {
  const registry = new MetricRegistry(['gateway']);
  const metrics = new RegistryGatewayMetrics(registry);
  const lines = async (pattern: RegExp): Promise<string[]> => (await registry.text()).split('\n').filter((line) => pattern.test(line) && !line.startsWith('#'));
  return { metrics, lines };
}

describe('the metrics of a gateway', () => {
  it('count a request by its route, the class of its status and its cause, and how long it took', async () => {
    const { metrics, lines } = gateway();
    metrics.ended('/v1/messages', { status: 200, cause: 'none' }, 300);
    metrics.ended('/v1/messages', { status: 204, cause: 'none' }, 300);
    metrics.ended('/v1/messages', { status: 429, cause: 'balance_held' }, 1);
    metrics.ended('none', { status: 0, cause: 'client_left' }, 1);
    metrics.ended('other', { status: 999, cause: 'internal_error' }, 1);
    expect(await lines(/^gw_http_requests_total/)).toEqual([
      'gw_http_requests_total{route="/v1/messages",code_class="2xx",cause="none"} 2',
      'gw_http_requests_total{route="/v1/messages",code_class="4xx",cause="balance_held"} 1',
      'gw_http_requests_total{route="none",code_class="none",cause="client_left"} 1',
      'gw_http_requests_total{route="other",code_class="none",cause="internal_error"} 1',
    ]);
    expect(await lines(/duration_seconds_(sum|count).*messages.*2xx/)).toEqual([
      'gw_http_request_duration_seconds_sum{route="/v1/messages",code_class="2xx"} 0.6',
      'gw_http_request_duration_seconds_count{route="/v1/messages",code_class="2xx"} 2',
    ]);
  });

  it('count what a request passes, in seconds', async () => {
    const { metrics, lines } = gateway();
    metrics.overhead('admit', 2);
    metrics.firstByte(500);
    metrics.keyCache('hit');
    metrics.admission('insufficient_balance');
    metrics.holdUsed(0.25);
    metrics.streamAborted('client', 'estimated');
    metrics.alarm('spool_lost');
    metrics.spool.synced(4);
    metrics.spool.failed('write');
    expect(await lines(/^(?!\S+_(bucket|count)).* (?!0$)/)).toEqual([
      'gw_overhead_seconds_sum{phase="admit"} 0.002',
      'gw_first_byte_seconds_sum 0.5',
      'gw_key_cache_total{result="hit"} 1',
      'gw_admission_total{result="insufficient_balance"} 1',
      'gw_hold_ratio_sum 0.25',
      'gw_stream_abort_total{by="client",usage_source="estimated"} 1',
      'gw_spool_fsync_seconds_sum 0.004',
      'gw_spool_errors_total{op="write"} 1',
      'gw_alarms_total{kind="spool_lost"} 1',
    ]);
  });

  it('are read from the gateway when somebody looks', async () => {
    const { metrics, lines } = gateway();
    let held = 4;
    metrics.watch({
      inflight: () => ({ arriving: 1, running: 2, absent: 3 }),
      holds: () => ({ held, settled: 5 }),
      spool: () => ({ accepting: true, bytes: 6, limitBytes: 60, unacknowledged: 7, oldestSeconds: 8.5 }),
    });
    await lines(/./);
    held = 9;
    expect(await lines(/^gw_(inflight|holds|accepting|spool_bytes|spool_limit|spool_oldest|usage)/)).toEqual([
      'gw_inflight{kind="arriving"} 1',
      'gw_inflight{kind="running"} 2',
      'gw_inflight{kind="absent"} 3',
      'gw_holds_open 9',
      'gw_holds_unposted 5',
      'gw_accepting 1',
      'gw_spool_bytes 6',
      'gw_spool_limit_bytes 60',
      'gw_spool_oldest_seconds 8.5',
      'gw_usage_unacked 7',
    ]);
  });
});
