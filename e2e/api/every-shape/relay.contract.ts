import { describe, expect, it } from '@jest/globals';
import type { Deployment, Group, WireAnswer } from '../../fixtures/deployment.js';
import type { RecordedCall } from '../../fixtures/recorder.js';

/** One kind of call that passes through in its own dialect. */
export interface RelayedCall {
  title: string;
  path: string;
  /** The body as this client happens to write it: unknown fields, odd spacing and escapes included. */
  body(prompt: string): string;
  /** What the provider gets of it; the same bytes unless said otherwise. */
  upstream?(body: string): string;
  /** What the client gets of the provider's bytes; the same unless said otherwise. */
  answer?(bytes: string): string;
}

export interface RelayOptions {
  group: Group;
  deployment(): Deployment;
  calls: readonly RelayedCall[];
  /** Request headers that the provider needs of this client, with a value. */
  passedOn: Readonly<Record<string, string>>;
  /** Headers of the provider that are the operator's own; the simulator sends each of them. */
  keptBack: readonly string[];
}

/** Headers that a gateway writes itself, or that belong to one connection. */
const OWN_REQUEST_HEADERS = ['host', 'connection', 'content-type', 'content-length', 'accept-encoding', 'accept'];
const OWN_ANSWER_HEADERS = ['content-type', 'content-length', 'transfer-encoding', 'connection', 'keep-alive', 'date', 'x-request-id', 'request-id'];
const PASSED_ANSWER_HEADERS = ['cache-control', 'openai-processing-ms', 'openai-version'];
const CREDENTIAL_HEADER = { openai: 'authorization', anthropic: 'x-api-key', gemini: 'x-goog-api-key' } as const;
/** What clients and proxies send along, and no provider should see. */
const PRIVATE = { cookie: 'session=1', 'user-agent': 'private-agent', 'x-forwarded-for': '10.1.2.3', 'openai-organization': 'org-client', 'x-stainless-lang': 'js', 'x-private': 'yes' };
const UUID7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

let calls = 0;

/** What holds for every call whose client and provider speak the same dialect. */
export function describeRelay({ group, deployment, calls: kinds, passedOn, keptBack }: RelayOptions): void {
  /** Makes a call with a prompt of its own, and finds the other side of it. */
  async function relay(kind: RelayedCall): Promise<{ body: string; tag: string; answer: WireAnswer; call: RecordedCall }> {
    const tag = `relay-${++calls}`;
    const body = kind.body(`Tell me about relays [[sim: tag=${tag} multibyte split-bytes=7]]`);
    const answer = await deployment().call(group, kind.path, { headers: { ...passedOn, ...PRIVATE }, body });
    expect([answer.status, answer.broken]).toEqual([200, false]);
    return { body, tag, answer, call: deployment().recorder.call(tag) };
  }

  describe.each(kinds.map((kind) => [kind.title, kind] as const))('%s', (_title, kind) => {
    it('reaches the provider byte for byte but for what must change', async () => {
      const { body, tag } = await relay(kind);
      const sent = await deployment().upstreamBody(tag);
      expect(sent.toString('utf8')).toBe(kind.upstream?.(body) ?? body);
    });

    it('comes back byte for byte but for what the client did not ask for', async () => {
      const { answer, call } = await relay(kind);
      const expected = kind.answer ? Buffer.from(kind.answer(call.answer.toString('utf8'))) : call.answer;
      expect(answer.bytes.equals(expected)).toBe(true);
    });

    it('shows the provider only headers that concern it, and never the key of the client', async () => {
      const { call } = await relay(kind);
      const allowed = [...OWN_REQUEST_HEADERS, ...Object.keys(passedOn), CREDENTIAL_HEADER[group]];
      expect(Object.keys(call.headers).filter((name) => !allowed.includes(name))).toEqual([]);
      expect(call.headers).toMatchObject({ ...passedOn, 'accept-encoding': 'identity', [CREDENTIAL_HEADER[group]]: expect.any(String) });
      expect(JSON.stringify([call.path, call.headers]) + call.body.toString('latin1')).not.toContain(deployment().keys[group]);
    });

    it("shows the client none of the operator's own headers", async () => {
      const { answer, call } = await relay(kind);
      for (const name of keptBack) expect([name, call.answerHeaders[name]]).toEqual([name, expect.anything()]);
      const allowed = [...OWN_ANSWER_HEADERS, ...PASSED_ANSWER_HEADERS];
      expect(Object.keys(answer.headers).filter((name) => !allowed.includes(name))).toEqual([]);
      expect(answer.headers['content-type']).toBe(call.answerHeaders['content-type']);
    });

    it('carries the id of its usage row in x-request-id', async () => {
      const { answer } = await relay(kind);
      const requestId = String(answer.headers['x-request-id']);
      expect(requestId).toMatch(UUID7);
      const row = await deployment().usageRow(requestId);
      expect(row).toMatchObject({ status: 200, outcome: 'completed', admitted: true });
      expect(BigInt(row.charge)).toBeGreaterThan(0n);
    });
  });
}
