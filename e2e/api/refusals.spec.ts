import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ERROR_TABLE } from '@tokone/protocol';
import { testedShape, waitFor } from '@tokone/testing';
import { Deployment, keyHeader } from '../fixtures/deployment.js';
import type { Group, WireAnswer, WireCall } from '../fixtures/deployment.js';
import { DIALECTS, GROUPS, errorBody, expectRefusal } from '../fixtures/dialects.js';
import type { ExpectedRefusal } from '../fixtures/dialects.js';

const BODY_LIMIT_BYTES = 100_000;
/** Between services, less than the age at which a cached key is looked at again: it must be told. */
const DISABLED_WITHIN_MS = testedShape() === 'services' ? 2_500 : 5_000;

/** A stream is extended where all of its output is seen. */
const WITHOUT_THINKING: Readonly<Record<Group, object>> = { openai: { model: 'gpt-4.1' }, anthropic: {}, gemini: { generationConfig: { maxOutputTokens: 60_000, thinkingConfig: { thinkingBudget: 0 } } } };

let deployment: Deployment;
const seen = new Set<string>();

beforeAll(async () => {
  deployment = await Deployment.start({ TOKONE_BODY_LIMIT_BYTES: String(BODY_LIMIT_BYTES) });
});

afterAll(async () => {
  try {
    expect(await deployment.moneyFaults()).toEqual([]);
  } finally {
    await deployment.close();
  }
});

function expectCode(group: Group, answer: WireAnswer, expected: ExpectedRefusal): void {
  expectRefusal(group, answer, expected);
  seen.add(expected.code);
}

/** Refused before the caller is known: answered, and recorded nowhere. */
async function refusedUnknown(group: Group, { path, ...call }: WireCall & { path: string }, expected: ExpectedRefusal): Promise<WireAnswer> {
  const answer = await deployment.call(group, path, call);
  expectCode(group, answer, expected);
  return answer;
}

/** Refused to a known caller: there is a usage row with the status, and it costs nothing. */
async function refused(group: Group, call: WireCall & { path?: string }, expected: ExpectedRefusal): Promise<WireAnswer> {
  const answer = await deployment.call(group, call.path ?? DIALECTS[group].path, call);
  expectCode(group, answer, expected);
  const row = await deployment.usageRow(String(answer.headers['x-request-id']));
  expect(row).toMatchObject({ status: expected.status, error_code: expected.code, charge: '0' });
  return answer;
}

const needed = (answer: WireAnswer) => Number(/([\d.]+) USD is needed/.exec(answer.text)?.[1]);

describe.each(GROUPS)('a request of group %s', (group) => {
  const dialect = DIALECTS[group];
  const valid = () => dialect.body('Reply with OK');
  const text = () => JSON.stringify(valid());
  const list = group === 'gemini' ? 'contents' : 'messages';

  it.each<[string, () => string, ExpectedRefusal]>([
    ['is no JSON', () => '{"a":', { status: 400, code: 'invalid_json', says: /not valid JSON.*at byte 5/ }],
    ['is no object', () => '[]', { status: 400, code: 'not_an_object' }],
    ['lacks a field', () => '{}', { status: 400, code: 'invalid_field', says: group === 'gemini' ? /`contents`/ : /`model`/, field: 'model' }],
    ['has a field of a wrong type', () => text().replace('{', '{"stream":"yes",'), { status: 400, code: 'invalid_field', says: /`stream`/, field: 'stream' }],
    ['has a field twice', () => text().replace('{', `{"${list}":[],`), { status: 400, code: 'duplicate_field', says: new RegExp(`\`${list}\``), field: list }],
    ['has a field twice, once escaped', () => text().replace('{', '{"stream":true,"str\\u0065am":true,'), { status: 400, code: 'duplicate_field', says: /`stream`/, field: 'stream' }],
    ['is nested 65 levels deep', () => text().replace('{', `{"x":${'['.repeat(64)}${']'.repeat(64)},`), { status: 400, code: 'too_deep', says: /64/ }],
  ])('that %s is 400 and names the place', async (_title, body, expected) => {
    await refused(group, { body: body() }, expected);
  });

  it('without a key is 401 and says where one goes', async () => {
    await refusedUnknown(group, { path: dialect.path, headers: { authorization: '' }, body: valid() }, { status: 401, code: 'invalid_key' });
    const answer = await deployment.callBare(dialect.path, { body: valid() });
    expectCode(group, answer, { status: 401, code: 'missing_key', says: /Authorization: Bearer.*x-api-key.*x-goog-api-key/ });
  });

  it('with a key that is none is 401', async () => {
    await refusedUnknown(group, { path: dialect.path, headers: keyHeader(group, 'sk-wrong'), body: valid() }, { status: 401, code: 'invalid_key' });
  });

  it(`with a disabled key is 401 within ${DISABLED_WITHIN_MS / 1000} s, although the key was in use`, async () => {
    const { keyId, key } = await deployment.product.tenant('1', group);
    const ask = () => deployment.call(group, dialect.path, { headers: keyHeader(group, key), body: valid() });
    expect((await ask()).status).toBe(200);
    await deployment.product.manage('POST', `/api/v1/keys/${keyId}/disable`);
    const answer = await waitFor(async () => {
      const next = await ask();
      return next.status !== 200 && next;
    }, { what: 'the disabled key to stop', deadlineMs: DISABLED_WITHIN_MS, intervalMs: 100 });
    expectCode(group, answer, { status: 401, code: 'disabled_key' });
  });

  it('on an empty balance is 402 and says what is available and what is needed', async () => {
    const { key } = await deployment.product.tenant('0', group);
    const answer = await refused(group, { headers: keyHeader(group, key), body: valid() }, { status: 402, code: 'insufficient_balance', says: /\b0(\.0+)? USD is available and [\d.]+ USD is needed/ });
    expect(needed(answer)).toBeGreaterThan(0);
  });

  it('that the balance would cover but for running requests is 429 with Retry-After', async () => {
    const limited = (prompt: string) => dialect.body(prompt, dialect.limit(5_000));
    const { key: poorKey } = await deployment.product.tenant('0', group);
    const cost = needed(await deployment.call(group, dialect.path, { headers: keyHeader(group, poorKey), body: limited('x'.repeat(60)) }));
    const { key } = await deployment.product.tenant((cost * 1.5).toFixed(6), group);
    const headers = keyHeader(group, key);
    const running = deployment.call(group, dialect.path, { headers, body: limited('Reply with OK [[sim: delay-ms=3000]]') });
    await waitFor(async () => (await deployment.holds()).held > 0, { what: 'the first request to be held', deadlineMs: 3_000 });
    const answer = await refused(group, { headers, body: limited('x'.repeat(60)) }, { status: 429, code: 'balance_held', says: /USD is available and [\d.]+ USD is needed/ });
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    expect((await running).status).toBe(200);
    expect((await deployment.call(group, dialect.path, { headers, body: limited('x'.repeat(60)) })).status).toBe(200);
  });

  it('above a limit of its key is 429 with Retry-After, and what no wait would help is 400', async () => {
    const { keyId, key } = await deployment.product.tenant('1', group);
    await deployment.product.manage('PUT', `/api/v1/limits?key=${keyId}`, { requestsPerMinute: 1, tokensPerMinute: 10_000 });
    const headers = keyHeader(group, key);
    const endless = { headers, body: dialect.body('Reply with OK', dialect.limit(10_000)) };
    expect((await refused(group, endless, { status: 400, code: 'request_exceeds_limit', says: /this key is 10000 tokens per minute/ })).headers['retry-after']).toBeUndefined();
    const call = { headers, body: valid() };
    expect((await deployment.call(group, dialect.path, call)).status).toBe(200);
    const answer = await refused(group, call, { status: 429, code: 'rate_limit_exceeded', says: /this key is 1 request per minute.*again in \d+ s/ });
    expect(Number(answer.headers['retry-after'])).toBe(Number(/again in (\d+) s/.exec(answer.text)?.[1]));
  });

  it('of a suspended account is 403', async () => {
    const { accountId, key } = await deployment.product.tenant('1', group);
    await deployment.query("UPDATE account.accounts SET status = 'suspended' WHERE id = $1::uuid", [accountId]);
    await refused(group, { headers: keyHeader(group, key), body: valid() }, { status: 403, code: 'account_suspended', says: /operator/ });
  });

  it('for an unknown model is 404', async () => {
    const unknown = { path: dialect.path.replace(dialect.model, 'no-such-model'), body: { ...valid(), ...(group !== 'gemini' && { model: 'no-such-model' }) } };
    await refused(group, unknown, { status: 404, code: 'unknown_model', says: /"no-such-model".*GET \/v1\/models/, field: 'model' });
  });

  it('for a model of another group is 404 and names that group', async () => {
    const other = group === 'openai' ? 'anthropic' : 'openai';
    const call = { path: dialect.path.replace(dialect.model, DIALECTS[other].model), body: { ...valid(), ...(group !== 'gemini' && { model: DIALECTS[other].model }) } };
    await refused(group, call, { status: 404, code: 'model_of_other_group', says: new RegExp(`group "${other}".*"${group}"`), field: 'model' });
  });

  it('with a key of another group is 404 and names the endpoint of that key and the group of this one', async () => {
    const other = group === 'openai' ? 'gemini' : 'openai';
    const endpoint = other === 'openai' ? '/v1/chat/completions' : '/v1beta/models';
    await refused(group, { headers: keyHeader(group, deployment.keys[other]), body: valid() }, { status: 404, code: 'endpoint_of_other_dialect', says: new RegExp(`"${other}".*POST ${endpoint}.*"${group}"`) });
  });

  it.each(['GET', 'PUT', 'DELETE', 'PATCH'])('made with %s is 405 and names the method to use', async (method) => {
    const answer = await refusedUnknown(group, { path: dialect.path, method, ...(method.startsWith('P') && { body: '{"broken' }) }, { status: 405, code: 'method_not_allowed', says: /POST/ });
    expect(answer.headers.allow).toBe('POST');
  });

  it('larger than the limit is 413, names the limit and closes the connection', async () => {
    const big = dialect.body('x'.repeat(BODY_LIMIT_BYTES));
    const byLength = await refused(group, { body: big }, { status: 413, code: 'body_too_large', says: /\b100000 bytes/ });
    const chunked = await refused(group, { headers: { 'transfer-encoding': 'chunked' }, body: big }, { status: 413, code: 'body_too_large', says: /\b100000 bytes/ });
    expect([byLength.headers.connection, chunked.headers.connection]).toEqual(['close', 'close']);
  });

  it.each<[string, Record<string, string>]>([
    ['compressed', { 'content-encoding': 'gzip' }],
    ['declared as text', { 'content-type': 'text/plain' }],
    ['declared as a form', { 'content-type': 'application/x-www-form-urlencoded' }],
  ])('with a body that is %s is 415', async (_title, headers) => {
    const body = headers['content-encoding'] ? gzipSync(text()) : text();
    await refused(group, { headers, body }, { status: 415, code: 'unsupported_body', says: new RegExp(Object.values(headers)[0] ?? '') });
  });

  it('for a hosted tool without a price is 400 and names the tool', async () => {
    const tools = { openai: [{ type: 'web_search_preview' }], anthropic: [{ type: 'code_execution_20250825', name: 'code_execution' }], gemini: [{ google_search: {} }] }[group];
    const name = { openai: 'web_search_preview', anthropic: 'code_execution_20250825', gemini: 'google_?[sS]earch' }[group];
    await refused(group, { body: dialect.body('hi', { tools }) }, { status: 400, code: 'unpriced_tool', says: new RegExp(`"${name}"`), field: 'tools' });
  });

  it.each<[string, ExpectedRefusal]>([
    ['status=401', { status: 502, code: 'upstream_credential', says: /operator/ }],
    ['status=403', { status: 502, code: 'upstream_credential', says: /operator/ }],
    ['status=429 retry-after=7', { status: 429, code: 'upstream_rate_limited' }],
    ['status=500', { status: 502, code: 'upstream_failed' }],
    ['status=503', { status: 503, code: 'upstream_overloaded' }],
    ['status=529', { status: 503, code: 'upstream_overloaded' }],
    ['status=504', { status: 504, code: 'upstream_timeout' }],
    ['gzip', { status: 502, code: 'upstream_failed' }],
    ['redirect', { status: 502, code: 'upstream_failed' }],
  ])('that the provider answers with [%s] fails in our words and costs nothing', async (directives, expected) => {
    const tag = `refusal-${group}-${directives.replace(/\W/g, '-')}`;
    const answer = await refused(group, { body: dialect.body(`[[sim: ${directives} tag=${tag}]]`) }, expected);
    expect(answer.headers['retry-after']).toBe({ 429: '7', 503: '5' }[expected.status]);
    const [, sentence] = /"message":"([^"]+)"/.exec(deployment.recorder.call(tag).answer.toString('utf8')) ?? [];
    if (sentence !== undefined) expect(answer.text).not.toContain(sentence);
  });

  it.each([400, 404, 409, 413, 415, 422])('that the provider refuses with %i is passed on byte for byte', async (status) => {
    const tag = `passed-${group}-${status}`;
    const answer = await deployment.call(group, dialect.path, { body: dialect.body(`[[sim: status=${status} tag=${tag}]]`) });
    expect([answer.status, answer.text]).toEqual([status, deployment.recorder.call(tag).answer.toString('utf8')]);
    expect(await deployment.usageRow(String(answer.headers['x-request-id']))).toMatchObject({ status, outcome: 'upstream_refused', charge: '0' });
  });

  it('whose stream outgrows the balance ends with an error event and no clean end', async () => {
    const { key } = await deployment.product.tenant('0.2', group);
    const prompt = '[[sim: output-tokens=60000 chunk-tokens=64]]';
    const body = dialect.body(prompt, { stream: true, ...dialect.limit(60_000), ...WITHOUT_THINKING[group] });
    const answer = await deployment.call(group, dialect.path, { headers: keyHeader(group, key), body });
    expect([answer.status, answer.broken]).toEqual([200, true]);
    const last = answer.text.trimEnd().split('\n').at(-1) ?? '';
    expect(JSON.parse(last.replace(/^data: /, ''))).toEqual(errorBody(group, { status: 402, code: 'balance_exhausted', says: /Top up/ }));
    seen.add('balance_exhausted');
  });
});

describe('a path that does not exist', () => {
  it.each<[string, Group]>([['/v1/nope', 'openai'], ['/v1/messages/nope', 'anthropic'], ['/v1beta/nope', 'gemini'], ['/v1beta/models/x:countTokens', 'gemini'], ['/v1/responses', 'openai'], ['/', 'openai']])(
    '%s is 404 in the dialect of %s, whatever the body',
    async (path, group) => {
      for (const body of ['{"broken', 'x'.repeat(200_000), '{}']) await refusedUnknown(group, { path, body }, { status: 404, code: 'unknown_path', says: /POST/ });
      await refusedUnknown(group, { path, headers: { 'content-type': 'text/plain' }, body: 'text' }, { status: 404, code: 'unknown_path' });
    },
  );

  it.each(['/v1/models', '/v1/usage', '/health'])('POST %s is 405 and names GET', async (path) => {
    const answer = await refusedUnknown('openai', { path, body: '{"broken' }, { status: 405, code: 'method_not_allowed' });
    expect(answer.headers.allow).toBe('GET');
  });
});

describe('a key in the query', () => {
  it.each<[string, Group]>([
    ['/v1/chat/completions?key=K', 'openai'],
    ['/chat/completions?a=b&api_key=K', 'openai'],
    ['/v1/messages?api%5Fkey=K', 'anthropic'],
    ['/v1beta/models/gemini-3.5-flash:generateContent?%6bey=K', 'gemini'],
    ['/v1beta/models/gemini-3.5-flash:streamGenerateContent?alt=sse&key=', 'gemini'],
    ['/v1/models?key=K', 'openai'],
    ['/v1/usage?key=K', 'openai'],
    ['/v1/nope?key=K', 'openai'],
    ['/health?key=K', 'openai'],
  ])('is 400 at %s, even beside a valid header', async (path, group) => {
    const url = path.replace('=K', `=${deployment.keys[group]}`);
    for (const call of [{ body: DIALECTS[group].body('hi') }, {}]) await refusedUnknown(group, { path: url, ...call }, { status: 400, code: 'key_in_query', says: /header/ });
  });
});

describe("a provider that refuses the operator's credential", () => {
  it('is 502 in our words, whatever status it chose', async () => {
    const other = await Deployment.start({ OPENAI_API_KEY: 'invalid-1', ANTHROPIC_API_KEY: 'invalid-2', GEMINI_API_KEY: 'invalid-3' });
    try {
      for (const group of GROUPS) {
        const answer = await other.call(group, DIALECTS[group].path, { body: DIALECTS[group].body('hi') });
        expectRefusal(group, answer, { status: 502, code: 'upstream_credential', says: /operator/ });
        expect(other.recorder.calls.at(-1)?.answer.toString('utf8')).toMatch(/key/i);
      }
      expect(await other.moneyFaults()).toEqual([]);
    } finally {
      await other.close();
    }
  });
});

describe('GET /v1/usage', () => {
  interface Usage {
    remaining: number;
    unit: string;
    isValid: boolean;
    usage: { total: { requests: number; actual_cost: number; output_tokens: number } };
    model_stats: { model: string; requests: number }[];
  }
  const usageOf = async (group: Group, key: string) => (await deployment.call(group, '/v1/usage', { headers: keyHeader(group, key) })).json() as unknown as Usage;

  it.each(GROUPS)('of a key of group %s counts admitted calls only, and shows a charge within 2 s', async (group) => {
    const { path, body } = DIALECTS[group];
    const { key } = await deployment.product.tenant('1', group);
    const headers = keyHeader(group, key);
    for (const call of [{ body: '{' }, { body: {} }, { headers: { ...headers, 'content-type': 'text/plain' }, body: body('hi') }]) {
      expect((await deployment.call(group, path, { ...call, headers: { ...headers, ...call.headers } })).status).toBeGreaterThanOrEqual(400);
    }
    const before = await usageOf(group, key);
    expect(before).toMatchObject({ isValid: true, unit: 'USD', remaining: 1, usage: { total: { requests: 0, actual_cost: 0 } }, model_stats: [] });
    const answer = await deployment.call(group, path, { headers, body: body('[[sim: output-tokens=50]]') });
    const after = await waitFor(async () => {
      const now = await usageOf(group, key);
      return now.usage.total.requests > 0 && now.remaining < 1 && now;
    }, { what: 'the charge in GET /v1/usage', deadlineMs: 2_000 });
    const { charge } = await deployment.usageRow(String(answer.headers['x-request-id']));
    expect(after.usage.total).toMatchObject({ requests: 1, output_tokens: 50, actual_cost: Number(charge) / 1e9 });
    expect(after.remaining).toBeCloseTo(1 - Number(charge) / 1e9, 9);
    expect(after.model_stats).toMatchObject([{ model: DIALECTS[group].model, requests: 1 }]);
  });

  it('works on an empty balance, with the key in any header', async () => {
    const { key } = await deployment.product.tenant('0', 'openai');
    for (const group of GROUPS) {
      const answer = await deployment.callBare('/v1/usage', { headers: keyHeader(group, key) });
      expect([answer.status, answer.json()]).toEqual([200, expect.objectContaining({ remaining: 0, balance: 0 })]);
    }
  });

  it.each(GROUPS)('without a good key is 401 in the dialect of group %s', async (group) => {
    const headers = { ...keyHeader(group, 'sk-wrong'), ...(group === 'anthropic' && { 'anthropic-version': '2023-06-01' }) };
    const answer = await deployment.callBare('/v1/usage', { headers });
    expectRefusal(group, answer, { status: 401, code: 'invalid_key' });
  });

  it.each<[string, string]>([
    ['days=0', 'days'],
    ['days=91', 'days'],
    ['days=1.5', 'days'],
    ['days=x', 'days'],
    ['days=1&days=2', 'days'],
    ['start_date=2026-02-31', 'start_date'],
    ['start_date=0000-01-01', 'start_date'],
    ['end_date=yesterday', 'end_date'],
    ['start_date=2026-02-02&end_date=2026-02-01', 'start_date'],
    ['timezone=Mars/Olympus', 'timezone'],
    ['timezone=%2B02:00', 'timezone'],
    ['timezone=%00', 'timezone'],
  ])('refuses %s and names the parameter', async (query, field) => {
    const answer = await deployment.call('openai', `/v1/usage?${query}`);
    expectRefusal('openai', answer, { status: 400, code: 'invalid_field', says: new RegExp(`^${field}`), field });
  });

  it.each(['days=90', 'start_date=2024-02-29&end_date=2026-01-01', 'timezone=Asia/Kolkata'])('takes %s', async (query) => {
    expect((await deployment.call('openai', `/v1/usage?${query}`)).status).toBe(200);
  });
});

describe('the table of errors', () => {
  const elsewhere: Partial<Record<keyof typeof ERROR_TABLE, string>> = {
    malformed_request: 'bad-input.spec.ts',
    headers_too_large: 'bad-input.spec.ts',
    request_timeout: 'bad-input.spec.ts',
    not_ready: 'needs a gateway that starts or stops',
    internal_error: 'needs a defect',
    no_upstream: 'needs a group without upstreams',
    spool_unavailable: 'needs a full disk',
    admission_unavailable: 'needs an admission that does not answer',
  };

  it('has no row that a caller can provoke and that is not seen here', () => {
    expect(Object.keys(ERROR_TABLE).filter((code) => !seen.has(code)).sort()).toEqual(Object.keys(elsewhere).sort());
  });
});
