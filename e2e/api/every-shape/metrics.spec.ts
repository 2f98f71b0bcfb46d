import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { METRICS, METRIC_SERVICES, PROCESS_METRIC_NAMES, PROCESS_SERIES_BOUND, metricsOf, seriesBoundOf } from '@tokone/telemetry';
import type { MetricService } from '@tokone/telemetry';
import { testedShape, waitFor } from '@tokone/testing';
import { callWire, Deployment } from '../../fixtures/deployment.js';
import type { Group, WireAnswer } from '../../fixtures/deployment.js';

let deployment: Deployment;

beforeAll(async () => {
  deployment = await Deployment.start();
});

afterAll(async () => {
  try {
    expect(await deployment.moneyFaults()).toEqual([]);
  } finally {
    await deployment.close();
  }
});

interface Process {
  app: string;
  name: string;
  text: string;
}

async function processes(): Promise<Process[]> {
  const listeners = await deployment.product.managementListeners();
  return Promise.all(listeners.map(async ({ app, name, url }) => ({ app, name, text: (await callWire(`${url}/metrics`, {})).text })));
}

/** Whose metrics a process has. */
function servicesOf(app: string): readonly MetricService[] {
  if (app === 'standalone') return METRIC_SERVICES;
  return [app.endsWith('-adapter') ? 'adapter' : (app as MetricService)];
}

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

/** The sum over all processes of the series that begin so; undefined where there is none. */
async function total(beginning: string): Promise<number | undefined> {
  const lines = (await processes()).flatMap(({ text }) => linesOf(text)).filter((line) => line.startsWith(beginning));
  return lines.length === 0 ? undefined : lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

async function becomes(beginning: string, wanted: number): Promise<void> {
  let last: number | undefined;
  const reached = async (): Promise<boolean> => (last = await total(beginning)) === wanted;
  await waitFor(reached, { what: `${beginning} to become ${wanted}`, deadlineMs: 20_000, intervalMs: 200 }).catch((error: unknown) => {
    throw new Error(`${String(error)} It is ${last}.`);
  });
}

const CALLS: Record<Group, { path: string; body: object }> = {
  openai: { path: '/v1/chat/completions', body: { model: 'gpt-5.5', messages: [{ role: 'user', content: 'Tell me about routers' }] } },
  anthropic: { path: '/v1/messages', body: { model: 'claude-sonnet-4-6', max_tokens: 100, messages: [{ role: 'user', content: 'Tell me about routers' }] } },
  gemini: { path: '/v1beta/models/gemini-3.1-pro-preview:generateContent', body: { contents: [{ role: 'user', parts: [{ text: 'Tell me about routers' }] }] } },
};

async function ask(group: Group): Promise<WireAnswer> {
  const { path, body } = CALLS[group];
  return deployment.call(group, path, { body });
}

const ALARMS = /^(gw_alarms|bill_alarms|acct_alarms|gw_spool_errors|acct_write_off_nano_usd|bill_rating_difference)_total/;
/** Members of a group that start side by side are refused by Kafka now and then, and come again. */
const TRIED_AGAIN = /kind="(rating|posting|shipping)_failed"/;

describe('metrics', () => {
  it('are exposed by each process as the table says, within the bound, with those of the process itself', async () => {
    const found = await processes();
    expect(found.length).toBeGreaterThanOrEqual(testedShape() === 'services' ? 6 : 1);
    for (const { app, name, text } of found) {
      const names = [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, metric]) => metric);
      expect({ name, names: new Set(names) }).toEqual({ name, names: new Set([...metricsOf(servicesOf(app)), ...PROCESS_METRIC_NAMES]) });
      const bound = metricsOf(servicesOf(app)).reduce((sum, metric) => sum + seriesBoundOf(METRICS[metric]), PROCESS_SERIES_BOUND);
      expect(linesOf(text).length).toBeLessThan(bound);
    }
  });

  it('are there for anyone who reaches the management listener, in the text of Prometheus, and for nobody else', async () => {
    for (const { url } of await deployment.product.managementListeners()) {
      const answer = await callWire(`${url}/metrics`, {});
      expect([answer.status, answer.headers['content-type']]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
    }
    const publicAnswer = await deployment.callBare('/metrics');
    expect([publicAnswer.status, publicAnswer.text.includes('gw_')]).toEqual([404, false]);
  });

  it('move with what each service does for a request', async () => {
    const before = { posted: (await total('acct_posted_total{result="posted"}')) ?? 0, charged: (await total('acct_charged_nano_usd_total')) ?? 0, rated: (await total('bill_events_total{result="posted"}')) ?? 0 };
    const answers = await Promise.all((['openai', 'anthropic', 'gemini'] as const).map(ask));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    await becomes('gw_http_requests_total{route="/v1/chat/completions",code_class="2xx",cause="none"}', 1);
    await becomes('gw_http_requests_total{route="/v1/messages",code_class="2xx",cause="none"}', 1);
    await becomes('gw_http_requests_total{route="/v1beta/models/{model}:generateContent",code_class="2xx",cause="none"}', 1);
    await becomes('gw_admission_total{result="held"}', 3);
    await becomes('gw_overhead_seconds_count{phase="all"}', 3);
    await becomes('gw_hold_ratio_count', 3);
    for (const provider of ['openai', 'anthropic', 'gemini']) await becomes(`upstream_requests_total{provider="${provider}"`, 1);
    await becomes('upstream_requests_total{provider="openai",model="gpt-5.5",outcome="whole"}', 1);
    await becomes('upstream_first_byte_seconds_count{provider="gemini"', 1);
    await becomes('bill_events_total{result="posted"}', before.rated + 3);
    await becomes('acct_posted_total{result="posted"}', before.posted + 3);
    const rows = await Promise.all(answers.map(({ headers }) => deployment.usageRow(String(headers['x-request-id']))));
    await becomes('acct_charged_nano_usd_total', before.charged + rows.reduce((sum, { charge }) => sum + Number(charge), 0));
    expect(await total('acct_key_lookups_total{result="found"}')).toBeGreaterThanOrEqual(3);
    expect(await total('gw_spool_fsync_seconds_count')).toBeGreaterThan(0);
    expect(await total('bill_batch_seconds_count')).toBeGreaterThan(0);
  });

  it('say why a request was refused', async () => {
    await deployment.call('openai', '/v1/chat/completions', { headers: { authorization: 'Bearer sk-none' }, body: {} });
    await deployment.call('openai', '/v1/chat/completions', { body: { model: 'no-such-model', messages: [] } });
    await deployment.callBare('/v1/chat/completions', { method: 'DELETE' });
    await deployment.call('openai', '/v1/models');
    await becomes('gw_http_requests_total{route="/v1/chat/completions",code_class="4xx",cause="invalid_key"}', 1);
    await becomes('gw_http_requests_total{route="/v1/chat/completions",code_class="4xx",cause="unknown_model"}', 1);
    await becomes('gw_http_requests_total{route="/v1/chat/completions",code_class="4xx",cause="method_not_allowed"}', 1);
    await becomes('gw_http_requests_total{route="/v1/models",code_class="2xx",cause="none"}', 1);
    expect(await total('acct_key_lookups_total{result="unknown"}')).toBeGreaterThan(0);
  });

  it('show what waits on its way from the gateway to the ledger, and that nothing waits in the end', async () => {
    await ask('openai');
    for (const beginning of ['gw_usage_unacked ', 'gw_holds_open ', 'gw_holds_unposted ', 'bill_lag_records{', 'bill_lag_seconds ', 'bill_parked ', 'bill_dead{', 'bill_outbox_rows ', 'bill_outbox_oldest_seconds ', 'acct_negative_wallets ', 'gw_spool_oldest_seconds ']) await becomes(beginning, 0);
    if (testedShape() === 'services') for (const beginning of ['acct_lag_records{', 'acct_openings_waiting ']) await becomes(beginning, 0);
    const gateways = (await processes()).filter(({ text }) => text.includes('\ngw_accepting ')).length;
    await becomes('gw_accepting ', gateways);
    const [bytes = 0, limit = 0] = [await total('gw_spool_bytes '), await total('gw_spool_limit_bytes ')];
    expect([bytes > 0, bytes < limit]).toEqual([true, true]);
    await waitFor(async () => ((await total('acct_sweeps_total{result="done"}')) ?? 0) > 0, { what: 'a sweep', deadlineMs: 10_000 });
  });

  it('have counted no alarm, and name nobody', async () => {
    const texts = (await processes()).map(({ text }) => text).join('\n');
    const alarms = linesOf(texts).filter((line) => ALARMS.test(line) && !line.endsWith(' 0'));
    expect(alarms.filter((line) => !TRIED_AGAIN.test(line))).toEqual([]);
    for (const key of Object.values(deployment.keys)) expect(texts).not.toContain(key.slice(0, 12));
    expect(texts).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-/);
    expect(texts).not.toContain('no-such-model');
  });
});

describe('health', () => {
  it('is told by every process on its management listener', async () => {
    for (const { name, url } of await deployment.product.managementListeners()) {
      const [live, ready] = await Promise.all([callWire(`${url}/health/live`, {}), callWire(`${url}/health/ready`, {})]);
      expect([name, live.status, live.json()]).toEqual([name, 200, { status: 'ok' }]);
      expect([name, ready.status, ready.json()]).toEqual([name, 200, expect.objectContaining({ status: 'ok' })]);
    }
  });
});
