import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SPOOL_RECORD, readUsageRecorded } from '@tokone/events';
import type { OpenPayload, UsageRecorded } from '@tokone/events';
import { Uuid7Source } from '@tokone/protocol';
import { startSimulator } from '@tokone/simulator';
import { silentLogger } from '@tokone/telemetry';
import { makeTemporaryFolder, waitFor } from '@tokone/testing';
import type { TemporaryFolder } from '@tokone/testing';
import { ACCOUNT, GROUP, GatewayBench, KEY, PRICE, RECORD, SEEN_PRICE, chat } from './fixtures/gateway-bench.js';

const OPEN: OpenPayload = { accountId: ACCOUNT, keyId: RECORD.keyId, groupId: GROUP, model: 'gpt-5.5', dialect: 'openai-chat', streamed: true, priceId: PRICE.id, multiplierPpm: 1_000_000, holdNanoUsd: '1000000', estimatedInputTokens: 7, serviceTier: 'default', startedAtMs: 1, requestBytes: 28 };

class Bench extends GatewayBench {
  constructor(folder: TemporaryFolder, simulatorUrl: string) {
    super(folder, simulatorUrl, Date.now);
  }

  /** What the spool holds, once it has at least so many: a new segment can be read only when its name is durable. */
  closed(count = 1): Promise<UsageRecorded[]> {
    return waitFor(
      async () => {
        const { records } = await this.spool.read(undefined, { records: 1_000, bytes: 1 << 24, types: [SPOOL_RECORD.close, SPOOL_RECORD.refused] });
        return records.length >= count && records.map((record) => readUsageRecorded(record.payload));
      },
      { what: `${count} closed requests in the spool`, deadlineMs: 5_000 },
    );
  }
}

describe('a gateway', () => {
  let folder: TemporaryFolder;
  let simulator: Awaited<ReturnType<typeof startSimulator>>;
  let bench: Bench;

  beforeEach(async () => {
    folder = await makeTemporaryFolder('gateway');
    simulator = await startSimulator({ chunkDelayMs: 0 });
    bench = new Bench(folder, simulator.url);
    await bench.open();
  });

  afterEach(async () => {
    await bench.close();
    await simulator.close();
    await folder.remove();
  });

  it('charges a whole answer for what the provider reports, and gives the rest of the hold back', async () => {
    const answer = await bench.call(chat('[[sim: input-tokens=100 output-tokens=10]]', { max_tokens: 500 }));
    expect(answer.status).toBe(200);
    const [event] = await bench.closed();
    expect(event).toMatchObject({ id: answer.headers['x-request-id'], outcome: 'completed', status: 200, estimated: false, tokens: { input: 100, output: 10 } });
    expect(event?.grantNanoUsd).toBe(100n * 5_000n + 10n * 30_000n);
    expect(bench.admission.outstanding()).toEqual({ held: 0, settled: 1, heldNanoUsd: 0n });
  });

  it('streams to [DONE] without the usage event that the client had not asked for', async () => {
    const answer = await bench.call(chat('Tell me something', { stream: true }));
    expect(answer.whole).toBe(true);
    expect(answer.text).toMatch(/data: \[DONE\]\n\n$/);
    expect(answer.text).not.toContain('"choices":[],"usage":{');
    expect((await bench.closed())[0]).toMatchObject({ outcome: 'completed', estimated: false, streamed: true });
  });

  it('ends a broken stream with an error event and no clean end, and charges what was read', async () => {
    const answer = await bench.call(chat('[[sim: cut-after=5 chunk-delay-ms=50]]', { stream: true }));
    expect(answer.whole).toBe(false);
    expect(answer.text).toMatch(/data: \{"error":\{.*"code":"upstream_failed"\}\}\n\n$/);
    const [event] = await bench.closed();
    expect(event).toMatchObject({ outcome: 'upstream_failed', estimated: true });
    expect(event?.grantNanoUsd).toBeGreaterThan(0n);
  });

  it('charges nothing when the provider fails before it answers, and does not speak of its account', async () => {
    const answer = await bench.call(chat('[[sim: status=401]]'));
    expect(answer.status).toBe(502);
    expect(JSON.parse(answer.text)).toMatchObject({ error: { code: 'upstream_credential' } });
    expect((await bench.closed())[0]).toMatchObject({ outcome: 'upstream_refused', grantNanoUsd: 0n, status: 502 });
    expect(bench.admission.outstanding().held).toBe(0);
  });

  it("passes the provider's judgement of the request through", async () => {
    const answer = await bench.call(chat('[[sim: status=400]]'));
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.text)).toHaveProperty('error.message');
    expect((await bench.closed())[0]).toMatchObject({ outcome: 'upstream_refused', grantNanoUsd: 0n, status: 400 });
  });

  it('cuts a stream that the balance no longer covers, within the grant', async () => {
    await bench.close();
    bench.balanceNanoUsd = 200_000_000n;
    bench = Object.assign(new Bench(folder, simulator.url), { balanceNanoUsd: 200_000_000n });
    await bench.open();
    const answer = await bench.call(chat('[[sim: output-tokens=50000]]', { model: SEEN_PRICE.model, stream: true, max_tokens: 60_000 }));
    expect(answer.whole).toBe(false);
    expect(answer.text).toContain('balance_exhausted');
    const [event] = await bench.closed();
    expect(event?.outcome).toBe('balance_exhausted');
    expect(event?.grantNanoUsd).toBeLessThanOrEqual(200_000_000n);
    expect(event?.grantNanoUsd).toBeGreaterThan(200_000_000n - 4_096n * 30_000n);
  });

  it.each([
    ['that it states', { max_completion_tokens: 120_000 }],
    ['by its older name', { max_tokens: 120_000 }],
  ])('gives a stream that may think unseen the limit that its hold covers, instead of the one %s', async (_title, limit) => {
    await bench.close();
    bench = Object.assign(new Bench(folder, simulator.url), { balanceNanoUsd: 150_000_000n });
    await bench.open();
    const answer = await bench.call(chat('[[sim: reasoning-tokens=100000 output-tokens=200]]', { stream: true, ...limit }));
    expect(answer.whole).toBe(true);
    const written = Number(answer.headers['x-tokone-output-limit']);
    expect(written).toBeGreaterThanOrEqual(4_000);
    const [event] = await bench.closed();
    const used = (event?.tokens.output ?? 0) + (event?.tokens.reasoning ?? 0);
    expect(used).toBe(written);
    expect(event?.grantNanoUsd).toBe(BigInt(event?.tokens.input ?? 0) * 5_000n + BigInt(used) * 30_000n);
    expect(event?.grantNanoUsd).toBeLessThanOrEqual(event?.holdNanoUsd ?? 0n);
  });

  it('refuses without a hold: bad key, bad body, unknown model, key in the query, too little balance', async () => {
    const codes = async (...call: Parameters<Bench['call']>) => {
      const answer = await bench.call(...call);
      return [answer.status, (JSON.parse(answer.text) as { error: { code: string } }).error.code];
    };
    expect(await codes(chat('x'), { key: 'sk-wrong' })).toEqual([401, 'invalid_key']);
    expect(await codes('{"model":')).toEqual([400, 'invalid_json']);
    expect(await codes(chat('x', { model: 'nope' }))).toEqual([404, 'unknown_model']);
    expect(await codes(chat('x'), { path: '/v1/chat/completions?key=abc' })).toEqual([400, 'key_in_query']);
    expect(await codes(chat('x', { max_tokens: 10_000_000 }))).toEqual([402, 'insufficient_balance']);
    expect(bench.admission.outstanding()).toEqual({ held: 0, settled: 0, heldNanoUsd: 0n });
    expect((await bench.closed(3)).map((event) => [event.outcome, event.status])).toEqual([['refused', 400], ['refused', 404], ['refused', 402]]);
  });

  it('holds the limit that it writes for each of several answers', async () => {
    await bench.close();
    bench = Object.assign(new Bench(folder, simulator.url), { balanceNanoUsd: 200_000_000n });
    await bench.open();
    const answer = await bench.call(chat('[[sim: output-tokens=5000]]', { n: 16 }));
    expect(answer.status).toBe(200);
    const limit = Number(answer.headers['x-tokone-output-limit']);
    const [event] = await bench.closed();
    expect(event).toMatchObject({ outcome: 'completed', tokens: { output: 16 * limit } });
    expect(event?.grantNanoUsd).toBe(BigInt(event?.tokens.input ?? 0) * 5_000n + BigInt(16 * limit) * 30_000n);
    expect(event?.grantNanoUsd).toBeLessThanOrEqual(event?.holdNanoUsd ?? 0n);
  });

  it('closes an upstream that goes on behind the end of its answer', async () => {
    const chatter = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: {"choices":[{"delta":{"content":"OK"}}]}\n\ndata: [DONE]\n\n');
      const timer = setInterval(() => response.write(': ping\n\n'), 50);
      response.on('close', () => clearInterval(timer));
    });
    chatter.listen(0, '127.0.0.1');
    await once(chatter, 'listening');
    await bench.close();
    bench = new Bench(folder, `http://127.0.0.1:${(chatter.address() as AddressInfo).port}`);
    await bench.open();
    try {
      expect((await bench.call(chat('x', { stream: true }))).whole).toBe(true);
      const connections = () => new Promise<number>((resolve) => chatter.getConnections((_error, count) => resolve(count)));
      await waitFor(async () => (await connections()) === 0, { what: 'the upstream connection to be closed', deadlineMs: 10_000 });
    } finally {
      chatter.closeAllConnections();
      chatter.close();
    }
  }, 20_000);

  it('never looks whole to an HTTP/1.0 client when it was cut', async () => {
    const { port } = bench.server.address() as AddressInfo;
    const body = JSON.stringify(chat('[[sim: cut-after=5 chunk-delay-ms=50]]', { stream: true }));
    const socket = connect(port, '127.0.0.1');
    socket.write(`POST /v1/chat/completions HTTP/1.0\r\nauthorization: Bearer ${KEY}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    socket.resume();
    const [error] = (await Promise.race([once(socket, 'error'), once(socket, 'end')])) as [NodeJS.ErrnoException | undefined];
    expect(error?.code).toBe('ECONNRESET');
  });

  it('ends a stream whose progress cannot be recorded, and keeps serving the others', async () => {
    const append = bench.spool.append.bind(bench.spool);
    bench.spool.append = (type, id, payload) => {
      if (type === SPOOL_RECORD.progress) throw new Error('the buffer is full');
      append(type, id, payload);
    };
    const answer = await bench.call(chat('[[sim: chunk-delay-ms=20]] Tell me something', { stream: true }));
    expect([answer.status, (JSON.parse(answer.text) as { error: { code: string } }).error.code]).toEqual([503, 'spool_unavailable']);
    expect((await bench.call(chat('Reply with OK'))).status).toBe(200);
    expect(bench.admission.outstanding().held).toBe(0);
  });

  it('hands everything that is not inference to the framework, with a request id', async () => {
    const { port } = bench.server.address() as AddressInfo;
    const answer = await fetch(`http://127.0.0.1:${port}/elsewhere`);
    expect(await answer.text()).toBe('framework');
    expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('closes what a crash left open: nothing without PROGRESS, else input and the last output, at most the hold', async () => {
    const open = JSON.stringify(OPEN);
    const ids = new Uuid7Source(() => 1_000);
    const [silent, small, large, extended] = [ids.next(), ids.next(), ids.next(), ids.next()];
    const progress = (output: number) => JSON.stringify({ tokens: { input: 7, output }, status: 200 });
    for (const id of [silent, small, large, extended]) bench.spool.append(SPOOL_RECORD.open, id, open);
    bench.spool.append(SPOOL_RECORD.progress, small, progress(10));
    bench.spool.append(SPOOL_RECORD.progress, large, progress(1_000));
    bench.spool.append(SPOOL_RECORD.extend, extended, '{"holdNanoUsd":"9000000"}');
    bench.spool.append(SPOOL_RECORD.progress, extended, progress(200));
    await bench.close();
    bench = new Bench(folder, simulator.url);
    await bench.open();
    const grants = new Map((await bench.closed(4)).map((event) => [event.id, event]));
    expect(grants.get(silent)).toMatchObject({ outcome: 'gateway_crash', estimated: false, grantNanoUsd: 0n, tokens: { input: 0, output: 0 } });
    expect(grants.get(small)).toMatchObject({ estimated: true, grantNanoUsd: 7n * 5_000n + 10n * 30_000n });
    expect(grants.get(large)?.grantNanoUsd).toBe(1_000_000n);
    expect(grants.get(extended)?.grantNanoUsd).toBe(7n * 5_000n + 200n * 30_000n);
    expect(bench.spool.orphans).toHaveLength(4);
  });

  it.each([
    ['is cut off', '{"accountId":'],
    ['says nothing', '{}'],
    ['names no account', JSON.stringify({ ...OPEN, accountId: undefined })],
    ['states a hold that is no amount', JSON.stringify({ ...OPEN, holdNanoUsd: 'much' })],
  ])('takes back an orphan whose OPEN %s: no charge, one alarm, and the next start hears nothing of it', async (_case, payload) => {
    const ids = new Uuid7Source(() => 1_000);
    const [unreadable, readable] = [ids.next(), ids.next()];
    bench.spool.append(SPOOL_RECORD.open, unreadable, payload);
    bench.spool.append(SPOOL_RECORD.progress, unreadable, '{"tokens":{"input":7,"output":10},"status":200}');
    bench.spool.append(SPOOL_RECORD.open, readable, JSON.stringify(OPEN));
    const alarms: unknown[] = [];
    for (const start of ['first', 'second']) {
      await bench.close();
      bench = new Bench(folder, simulator.url);
      bench.logger = { ...silentLogger, error: (fields) => void alarms.push({ start, ...(fields as object) }) };
      await bench.open();
    }
    expect(bench.spool.orphans).toEqual([]);
    expect(alarms).toEqual([{ start: 'first', requestId: unreadable }]);
    expect((await bench.closed(1)).map(({ id }) => id)).toEqual([readable]);
  });

  it('serves on while it leaves, calls itself not ready, and makes every answer the last one of its connection', async () => {
    const [before, left] = [await bench.call(chat('Reply with OK')), bench.gateway.leave(0)];
    expect(bench.gateway.problems()).toEqual({ stop: 'The gateway stops.' });
    const [whole, streamed, other] = [await bench.call(chat('Reply with OK')), await bench.call(chat('Reply with OK', { stream: true })), await bench.call('', { path: '/elsewhere' })];
    expect([before, whole, streamed, other].map(({ status, headers }) => [status, headers.connection])).toEqual([[200, 'keep-alive'], [200, 'close'], [200, 'close'], [404, 'close']]);
    await left;
    const drained = bench.gateway.drain(5_000);
    expect((await bench.call(chat('x'))).status).toBe(503);
    await drained;
  });

  it('lets running answers end in a drain and refuses new ones', async () => {
    const running = bench.call(chat('[[sim: delay-ms=300]] Reply with OK'));
    await waitFor(() => bench.gateway.running.size > 0, { what: 'the request to run', deadlineMs: 5_000 });
    const drained = bench.gateway.drain(5_000);
    const refused = await bench.call(chat('x'));
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '2']);
    expect((await running).status).toBe(200);
    await drained;
    expect(bench.gateway.running.size).toBe(0);
  });

  it('ends what outlasts the grace with an error, charged for what was delivered', async () => {
    const running = bench.call(chat('[[sim: endless chunk-delay-ms=5]]', { stream: true }));
    const types = [SPOOL_RECORD.progress];
    await waitFor(async () => (await bench.spool.read(undefined, { records: 100, bytes: 1 << 20, types })).records.length > 0, { what: 'a PROGRESS record', deadlineMs: 5_000 });
    await bench.gateway.drain(50);
    const answer = await running;
    expect(answer.whole).toBe(false);
    expect(answer.text).toContain('"code":"not_ready"');
    expect((await bench.closed())[0]).toMatchObject({ outcome: 'gateway_failed', estimated: true });
  });
});
