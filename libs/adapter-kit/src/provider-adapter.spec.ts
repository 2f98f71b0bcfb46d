import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { Upstream } from '@tokone/account-client';
import type { UpstreamClient, UpstreamRequest } from '@tokone/http';
import { passBody } from '@tokone/protocol';
import type { AdapterFailure, DispatchHead } from './adapter.js';
import { ProviderAdapter } from './provider-adapter.js';
import type { Provider } from './provider.js';

const provider: Provider = {
  platform: 'openai',
  dialect: 'openai-chat',
  path: () => '/x',
  authorize: (credential) => ['authorization', credential],
  defaultHeaders: {},
  outputLimitField: 'max_tokens',
  removesStreamMember: false,
  asksForUsage: false,
  requestIdHeader: 'x-request-id',
};
const body = Buffer.from('{"model":"m","messages":[]}');
const { facts } = passBody('openai-chat', body);

/** An adapter with a clock, a directory and a client that only write down what they are asked. */
function make() {
  const state = { nowMs: 0, reads: [] as string[], failure: undefined as Error | undefined, silent: false, before: undefined as Promise<void> | undefined, sent: [] as string[], failures: [] as AdapterFailure[] };
  const client: UpstreamClient = {
    send(request: UpstreamRequest) {
      state.sent.push(request.origin);
      return { pause: () => undefined, resume: () => undefined, abort: () => undefined };
    },
    close: async () => undefined,
  };
  const upstreamsOf = async (groupId: string): Promise<Upstream[]> => {
    state.reads.push(groupId);
    if (state.failure) throw state.failure;
    if (state.silent) return new Promise(() => undefined);
    const question = state.reads.length;
    await state.before;
    return [{ upstreamId: 'u', name: 'u', platform: 'openai', baseUrl: `http://${groupId}-${question}.test`, credential: 'c', modelMapping: new Map(), priority: 0 }];
  };
  const adapter = new ProviderAdapter({ provider, upstreams: { upstreamsOf }, client, now: () => state.nowMs, answerTimeoutMs: 1, streamTimeoutMs: 1, idleTimeoutMs: 1 });
  const dispatch = async (groupId: string): Promise<void> => {
    const head: DispatchHead = { requestId: 'r', groupId, dialect: 'openai-chat', model: 'm', streamed: false, framing: 'json', headers: [], facts: facts as DispatchHead['facts'], outputLimit: undefined };
    adapter.dispatch(head, body, { onHead: () => undefined, onData: () => undefined, onEnd: () => undefined, onFailure: (failure) => void state.failures.push(failure) });
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { state, dispatch, adapter };
}

describe('the upstreams of a group', () => {
  it('are read once in 5 s, group by group', async () => {
    const { state, dispatch } = make();
    await dispatch('a');
    await dispatch('b');
    state.nowMs = 4_999;
    await dispatch('a');
    expect(state.reads).toEqual(['a', 'b']);
    state.nowMs = 5_000;
    await dispatch('a');
    expect(state.reads).toEqual(['a', 'b', 'a']);
    expect(state.sent).toEqual(['http://a-1.test', 'http://b-2.test', 'http://a-1.test', 'http://a-3.test']);
  });

  it('stay the last ones while the directory fails', async () => {
    const { state, dispatch } = make();
    await dispatch('a');
    state.nowMs = 60_000;
    state.failure = new Error('no database');
    await dispatch('a');
    expect([state.sent, state.failures]).toEqual([['http://a-1.test', 'http://a-1.test'], []]);
    await dispatch('b');
    expect(state.failures).toEqual([{ code: 'not_ready', sent: false, upstreamId: undefined, cause: state.failure }]);
  });

  it('are asked for once, however many requests wait for them, and again after a failure', async () => {
    const { state, dispatch } = make();
    await Promise.all([dispatch('a'), dispatch('a'), dispatch('b'), dispatch('a')]);
    expect(state.reads).toEqual(['a', 'b']);
    expect(state.sent).toHaveLength(4);
    state.failure = new Error('no database');
    await Promise.all([dispatch('c'), dispatch('c')]);
    expect([state.reads, state.failures.length]).toEqual([['a', 'b', 'c'], 2]);
    state.failure = undefined;
    await dispatch('c');
    expect([state.reads, state.sent.length]).toEqual([['a', 'b', 'c', 'c'], 5]);
  });
});

describe('a change of upstreams', () => {
  it.each<[string, string | undefined, string[]]>([
    ['of one group', 'a', ['a', 'b', 'a']],
    ['of any', undefined, ['a', 'b', 'a', 'b']],
    ['of a group that nobody has asked for', 'c', ['a', 'b']],
  ])('%s is asked for by the next request', async (_title, groupId, reads) => {
    const { state, dispatch, adapter } = make();
    await dispatch('a');
    await dispatch('b');
    adapter.invalidate(groupId);
    await Promise.all([dispatch('a'), dispatch('b'), dispatch('a')]);
    expect(state.reads).toEqual(reads);
  });

  it('leaves the last upstreams for as long as the directory fails', async () => {
    const { state, dispatch, adapter } = make();
    await dispatch('a');
    adapter.invalidate();
    state.failure = new Error('no database');
    await dispatch('a');
    state.failure = undefined;
    await dispatch('a');
    expect([state.sent, state.failures]).toEqual([['http://a-1.test', 'http://a-1.test', 'http://a-3.test'], []]);
  });

  it.each([['a'], [undefined]])('makes an answer from before it worthless for later requests (%s)', async (groupId) => {
    const { state, dispatch, adapter } = make();
    let answer = (): void => undefined;
    state.before = new Promise((resolve) => (answer = resolve));
    await dispatch('a');
    adapter.invalidate(groupId);
    state.before = undefined;
    await dispatch('a');
    answer();
    await new Promise((resolve) => setImmediate(resolve));
    await dispatch('a');
    expect(state.reads).toEqual(['a', 'a']);
    // The first request waited for its own question; the third takes what the second one heard.
    expect(state.sent.toSorted()).toEqual(['http://a-1.test', 'http://a-2.test', 'http://a-2.test']);
  });
});

describe('a directory that is silent', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  it('has failed after 2 s: the last upstreams are taken, or the request fails unsent', async () => {
    const { state, dispatch } = make();
    await dispatch('a');
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask', 'performance', 'Date'] });
    state.nowMs = 60_000;
    state.silent = true;
    await Promise.all([dispatch('a'), dispatch('b')]);
    await jest.advanceTimersByTimeAsync(1_999);
    expect([state.sent.length, state.failures.length]).toEqual([1, 0]);
    await jest.advanceTimersByTimeAsync(1);
    expect(state.sent).toEqual(['http://a-1.test', 'http://a-1.test']);
    expect(state.failures).toMatchObject([{ code: 'not_ready', sent: false, cause: { message: expect.stringContaining('2000 ms') } }]);
    expect(jest.getTimerCount()).toBe(0);
    state.silent = false;
    await dispatch('b');
    expect(state.reads).toEqual(['a', 'a', 'b', 'b']);
  });
});
