import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@tokone/testing';
import OpenAI, { APIError } from 'openai';
import { Deployment, keyHeader } from '../fixtures/deployment.js';
import type { Group, WireAnswer } from '../fixtures/deployment.js';
import { DIALECTS, GROUPS, expectRefusal } from '../fixtures/dialects.js';
import { RawConnection } from '../fixtures/raw-connection.js';

const BODY_LIMIT_BYTES = 32 * 1024 * 1024;
const BODY_TIMEOUT_MS = 60_000;
const HEAD_TIMEOUT_MS = 10_000;
/** How often the listener looks for late heads, and room for a busy machine. */
const LATE_MS = 10_000;

let deployment: Deployment;
let slowHead: Promise<WireAnswer>;
let unused: Promise<WireAnswer[]>;
let slowBodies: Promise<WireAnswer[]>;

beforeAll(async () => {
  deployment = await Deployment.start();
  // The promised deadlines take longer than all other tests together, so they run beside them.
  slowHead = stalled('POST /v1/messages HTTP/1.1\r\nHost: x\r\nx-api', HEAD_TIMEOUT_MS + LATE_MS);
  unused = closedUnused(HEAD_TIMEOUT_MS + LATE_MS);
  slowBodies = Promise.all(GROUPS.map((group) => stalled(head(group, { 'content-length': '100' }) + '{"a', BODY_TIMEOUT_MS + LATE_MS)));
  for (const waiting of [slowHead, unused, slowBodies]) waiting.catch(() => undefined);
});

afterAll(async () => {
  try {
    expect(await deployment.moneyFaults()).toEqual([]);
  } finally {
    await deployment.close();
  }
});

afterEach(async () => {
  await waitFor(async () => (await deployment.holds()).held === 0, { what: 'nothing to be held', deadlineMs: 5_000 });
  expect((await deployment.callBare('/health')).json()).toEqual({ status: 'ok' });
});

function head(group: Group, headers: Record<string, string> = {}): string {
  const all = { host: 'x', 'content-type': 'application/json', ...keyHeader(group, deployment.keys[group]), ...headers };
  return `POST ${DIALECTS[group].path} HTTP/1.1\r\n${Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
}

/** Writes something that is not whole, and waits for what the server says to that. */
async function stalled(bytes: string, deadlineMs: number): Promise<WireAnswer> {
  const connection = await RawConnection.open(deployment.baseUrl);
  await connection.write(bytes);
  const [answer] = await connection.answers(1, deadlineMs);
  await connection.untilClosed();
  connection.destroy();
  return answer as WireAnswer;
}

/** What a connection hears on which nothing is asked. */
async function closedUnused(deadlineMs: number): Promise<WireAnswer[]> {
  const connection = await RawConnection.open(deployment.baseUrl);
  await connection.untilClosed(deadlineMs);
  const answers = await connection.answers(0);
  connection.destroy();
  return answers;
}

const valid = (group: Group, prompt = 'Reply with OK') => JSON.stringify(DIALECTS[group].body(prompt));

/** Writes bytes on a connection of their own and gives the first answers. */
async function exchange(bytes: string | Buffer, count = 1): Promise<WireAnswer[]> {
  const connection = await RawConnection.open(deployment.baseUrl);
  try {
    await connection.write(bytes);
    return await connection.answers(count);
  } finally {
    connection.destroy();
  }
}

describe.each(GROUPS)('a body for group %s', (group) => {
  const text = valid(group);
  const list = group === 'gemini' ? 'contents' : 'messages';
  const refusedAs = async (body: string | Buffer, code: string, status = 400) => {
    const before = deployment.recorder.calls.length;
    const answer = await deployment.call(group, DIALECTS[group].path, { body });
    const field = (answer.json() as { error: { param?: string | null } }).error.param ?? undefined;
    expectRefusal(group, answer, { status, code, ...(field !== undefined && { field }) });
    expect(deployment.recorder.calls).toHaveLength(before);
    expect(await deployment.usageRow(String(answer.headers['x-request-id']))).toMatchObject({ status, error_code: code, charge: '0' });
  };

  it.each<[string, string | Buffer]>([
    ['empty', ''],
    ['white space', ' \r\n\t '],
    ['truncated at the first byte', text.slice(0, 1)],
    ['truncated in the middle', text.slice(0, text.length / 2)],
    ['truncated at the last byte', text.slice(0, -1)],
    ['two documents', `${text}${text}`],
    ['with a comma too many', text.replace(/}$/, ',}')],
    ['with a NUL byte between tokens', text.replace('{', '{\0')],
    ['with a NUL byte in a string', text.replace('Reply', 'Re\0ply')],
    ['of NUL bytes', Buffer.alloc(1000)],
    ['with invalid UTF-8', Buffer.from(text.replace('Reply', 'R\u00ff'), 'latin1')],
    ['with a byte order mark', `\ufeff${text}`],
    ['in UTF-16', Buffer.from(text, 'utf16le')],
    ['with NaN', text.replace('{', '{"x":NaN,')],
  ])('that is %s is 400 and no JSON', (_title, body) => refusedAs(body, 'invalid_json'));

  it.each([65, 1_000, 100_000])('nested %i levels deep is 400', (depth) => refusedAs(text.replace('{', `{"x":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)},`), 'too_deep'));

  it('nested 64 levels deep is served', async () => {
    const body = text.replace('{', `{"x":${'['.repeat(63)}${']'.repeat(63)},`);
    expect((await deployment.call(group, DIALECTS[group].path, { body })).status).toBe(200);
  });

  it.each(['null', '5', '"text"', '[{}]', 'true'])('that is %s is 400 and no object', (body) => refusedAs(body, 'not_an_object'));

  it.each([`"${list}":5`, `"${list}":"text"`, '"stream":1', '"stream":"true"', '"stream":{}'])('with %s is 400', async (member) => {
    const name = /"(\w+)"/.exec(member)?.[1] ?? '';
    const { [name]: _replaced, ...rest } = JSON.parse(text) as Record<string, unknown>;
    await refusedAs(JSON.stringify(rest).replace('{', `{${member},`), 'invalid_field');
  });

  it.each(['-1', '1.5', '"5"', '1e999', '[]', '99999999999999999999'])('with %s as its output limit is 400', async (value) => {
    const name = { openai: 'max_tokens', anthropic: 'max_tokens', gemini: 'maxOutputTokens' }[group];
    const { max_tokens: _replaced, ...rest } = JSON.parse(text) as Record<string, unknown>;
    const member = group === 'gemini' ? `"generationConfig":{"${name}":${value}}` : `"${name}":${value}`;
    await refusedAs(JSON.stringify(rest).replace('{', `{${member},`), 'invalid_field');
  });

  it.each([`"${list}":[]`, '"stream":false,"stream":true', '"str\\u0065am":false,"stream":true', `"\\u00${list.charCodeAt(0).toString(16)}${list.slice(1)}":[]`])(
    'with a name twice (%s) is 400',
    (members) => refusedAs(text.replace('{', `{${members},`), 'duplicate_field'),
  );

  it('with a name that PostgreSQL cannot store is refused, recorded, and holds up nothing', async () => {
    for (const name of ['a\\u0000b', '\\ud800']) {
      const path = group === 'gemini' ? DIALECTS.gemini.path.replace(DIALECTS.gemini.model, name === '\\ud800' ? '%EF%BF%BF' : 'a%00b') : DIALECTS[group].path;
      const body = group === 'gemini' ? text : text.replace(DIALECTS[group].model, name);
      const answer = await deployment.call(group, path, { body });
      expectRefusal(group, answer, { status: 404, code: 'unknown_model', field: 'model' });
      expect(await deployment.usageRow(String(answer.headers['x-request-id']))).toMatchObject({ status: 404, charge: '0' });
    }
  });

  it('that arrives byte by byte, in chunks, is served', async () => {
    const connection = await RawConnection.open(deployment.baseUrl);
    await connection.write(head(group, { 'transfer-encoding': 'chunked', connection: 'close' }));
    for (const byte of Buffer.from(text)) {
      await connection.write(Buffer.from(`1\r\n${String.fromCharCode(byte)}\r\n`, 'latin1'));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await connection.write('0\r\n\r\n');
    const [answer] = await connection.answers(1);
    connection.destroy();
    expect(answer?.status).toBe(200);
    expect(answer?.text).toContain('OK');
  });

  it('of 33 MiB is 413 for a client that goes on sending, by its length and in chunks', async () => {
    const big = Buffer.alloc(33 * 1024 * 1024, 0x20);
    const expected = { status: 413, code: 'body_too_large', says: new RegExp(`\\b${BODY_LIMIT_BYTES} bytes`) };
    for (const framed of [Buffer.concat([Buffer.from(head(group, { 'content-length': String(big.length) })), big]), chunked(head(group, { 'transfer-encoding': 'chunked' }), big)]) {
      const connection = await RawConnection.open(deployment.baseUrl);
      const sent = connection.write(framed);
      const [answer] = await connection.answers(1);
      await connection.untilClosed();
      await sent;
      connection.destroy();
      expectRefusal(group, answer as WireAnswer, expected);
    }
  });

  it('shorter than its content-length is 400 in the dialect, or nothing when the client is gone', async () => {
    const bytes = `${head(group, { 'content-length': String(text.length + 10) })}${text}`;
    const halfClosed = await RawConnection.open(deployment.baseUrl);
    await halfClosed.write(bytes);
    halfClosed.end();
    const [answer] = await halfClosed.answers(1);
    expectRefusal(group, answer as WireAnswer, { status: 400, code: 'malformed_request' });
    halfClosed.destroy();
    const before = deployment.recorder.calls.length;
    const gone = await RawConnection.open(deployment.baseUrl);
    await gone.write(bytes);
    gone.destroy();
    expect((await deployment.call(group, DIALECTS[group].path, { body: text })).status).toBe(200);
    expect(deployment.recorder.calls).toHaveLength(before + 1);
  });

  it('longer than its content-length is cut there, and what follows is no request', async () => {
    const connection = await RawConnection.open(deployment.baseUrl);
    await connection.write(`${head(group, { 'content-length': String(text.length - 10) })}${text}`);
    await connection.untilClosed();
    const answers = await connection.answers(0);
    connection.destroy();
    expect(answers.map(({ status }) => status).filter((status) => status !== 400)).toEqual([]);
  });

  it('with a chunk that is none is 400 in the dialect', async () => {
    const [answer] = await exchange(`${head(group, { 'transfer-encoding': 'chunked' })}zz\r\n{}`);
    expectRefusal(group, answer as WireAnswer, { status: 400, code: 'malformed_request' });
  });

  it('with an Authorization header of 64 KB is 401', async () => {
    const answer = await deployment.call(group, DIALECTS[group].path, { headers: { authorization: `Bearer ${'a'.repeat(65_536)}` }, body: text });
    expectRefusal(group, answer, { status: 401, code: 'invalid_key' });
  });

  it('that does not come is 408 in the dialect', async () => {
    const answer = (await slowBodies)[GROUPS.indexOf(group)];
    expectRefusal(group, answer as WireAnswer, { status: 408, code: 'request_timeout' });
  }, BODY_TIMEOUT_MS + 3 * LATE_MS);
});

function chunked(start: string, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${start}${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')]);
}

describe('an official client', () => {
  it('that sends 33 MiB gets its typed error, not a reset connection', async () => {
    const client = new OpenAI({ apiKey: deployment.keys.openai, baseURL: `${deployment.baseUrl}/v1`, maxRetries: 0 });
    const request = client.chat.completions.create({ model: 'gpt-5.5', messages: [{ role: 'user', content: 'x'.repeat(33 * 1024 * 1024) }] });
    await expect(request).rejects.toBeInstanceOf(APIError);
    await expect(request).rejects.toMatchObject({ status: 413, code: 'body_too_large' });
  });
});

describe('what is no HTTP request that can be served', () => {
  it.each<[string, string | Buffer]>([
    ['garbage', Buffer.from('\x16\x03\x01\x02\x00\x01\x00\r\n\r\n', 'latin1')],
    ['an HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['a version that does not exist', 'GET /v1/models HTTP/9.9\r\nHost: x\r\n\r\n'],
    ['an unknown method', 'BREW /v1/models HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a NUL byte in a header', 'GET /v1/models HTTP/1.1\r\nHost: x\r\nx-a: b\0c\r\n\r\n'],
    ['a space before a colon', 'GET /v1/models HTTP/1.1\r\nHost: x\r\nx-a : b\r\n\r\n'],
    ['two lengths', 'POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}'],
    ['a length that is none', 'POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: -2\r\n\r\n{}'],
    ['a length and chunks', 'POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}'],
    ['no Host', 'GET /v1/models HTTP/1.1\r\n\r\n'],
    ['a path that cannot be decoded', 'GET /v1/models/%zz HTTP/1.1\r\nHost: x\r\n\r\n'],
  ])('because of %s is 400', async (_title, bytes) => {
    const [answer] = await exchange(bytes);
    expectRefusal('openai', answer as WireAnswer, { status: 400, code: 'malformed_request' });
  });

  it.each<[string, string]>([
    ['one header of 120 KB', `x-api-key: ${'a'.repeat(120 * 1024)}\r\n`],
    ['120 KB of headers', Array.from({ length: 120 }, (_each, index) => `x-${index}: ${'a'.repeat(1020)}\r\n`).join('')],
  ])('because of %s is 431', async (_title, headers) => {
    const [answer] = await exchange(`GET /v1/models HTTP/1.1\r\nHost: x\r\n${headers}\r\n`);
    expectRefusal('openai', answer as WireAnswer, { status: 431, code: 'headers_too_large', says: /\d+ bytes/ });
  });

  it('because its head does not come is 408', async () => {
    expectRefusal('openai', await slowHead, { status: 408, code: 'request_timeout' });
  }, HEAD_TIMEOUT_MS + 3 * LATE_MS);

  it('because nothing at all comes is closed without an answer, which would be taken for that to the first request', async () => {
    expect(await unused).toEqual([]);
  }, HEAD_TIMEOUT_MS + 3 * LATE_MS);

  it('closes the connection without an answer when it comes behind a request that is still running', async () => {
    const running = `${head('openai', { 'content-length': String(valid('openai', '[[sim: delay-ms=300]]').length) })}${valid('openai', '[[sim: delay-ms=300]]')}`;
    const connection = await RawConnection.open(deployment.baseUrl);
    await connection.write(`${running}garbage\r\n\r\n`);
    await connection.untilClosed();
    expect(await connection.answers(0)).toEqual([]);
    connection.destroy();
  });

  it('is answered when it comes on a connection that has served', async () => {
    const connection = await RawConnection.open(deployment.baseUrl);
    await connection.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
    await connection.answers(1);
    await connection.write('garbage\r\n\r\n');
    const [served, answer] = await connection.answers(2);
    await connection.untilClosed();
    connection.destroy();
    expect(served?.status).toBe(200);
    expectRefusal('openai', answer as WireAnswer, { status: 400, code: 'malformed_request' });
  });
});

describe('an unusual request', () => {
  const framed = (group: Group, body: string) => `${head(group, { 'content-length': String(Buffer.byteLength(body)) })}${body}`;

  it.each<[string, (request: string) => string]>([
    ['in HTTP/1.0', (request) => request.replace('HTTP/1.1', 'HTTP/1.0')],
    ['in HTTP/1.0 without Host', (request) => request.replace('HTTP/1.1', 'HTTP/1.0').replace('host: x\r\n', '')],
    ['with the whole URL in its first line', (request) => request.replace('POST /', 'POST http://example.test/')],
    ['with an expectation', (request) => request.replace('host: x', 'host: x\r\nexpect: 100-continue')],
    ['with an unknown expectation', (request) => request.replace('host: x', 'host: x\r\nexpect: tea')],
    ['that offers an upgrade', (request) => request.replace('host: x', 'host: x\r\nconnection: upgrade\r\nupgrade: h2c')],
    ['behind empty lines', (request) => `\r\n\r\n${request}`],
  ])('%s is served', async (_title, change) => {
    const [answer] = await exchange(change(framed('openai', valid('openai'))));
    expect([answer?.status, answer?.text]).toEqual([200, expect.stringContaining('OK')]);
    expect(answer?.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('that is pipelined behind others gets its answer in order, refused ones included', async () => {
    const requests = ['first [[sim: delay-ms=200]]', '{', 'third'].map((prompt) => framed('openai', prompt === '{' ? '{' : valid('openai', prompt)));
    const answers = await exchange(`${requests.join('')}GET /health HTTP/1.1\r\nhost: x\r\n\r\n`, 4);
    expect(answers.map(({ status }) => status)).toEqual([200, 400, 200, 200]);
    const rows = await Promise.all(answers.slice(0, 3).map(({ headers }) => deployment.usageRow(String(headers['x-request-id']))));
    expect(rows.map(({ status, outcome }) => [status, outcome])).toEqual([[200, 'completed'], [400, 'refused'], [200, 'completed']]);
  });
});
