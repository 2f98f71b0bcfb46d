import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { AdmissionPosting } from './admission.js';
import { GatewayServer } from './fixtures/gateway-server.js';
import { GatewayTargets } from './gateway-targets.js';
import { HttpAdmissionPosts } from './http-admission-posts.js';
import { HttpAdmissionView } from './http-admission-view.js';

let gateways: GatewayServer[];
let live: { url: string }[];
let listings: number;
let listFailure: Error | undefined;
let nowMs: number;
let targets: GatewayTargets;

beforeEach(async () => {
  gateways = [await GatewayServer.start(), await GatewayServer.start()];
  live = gateways.slice(0, 1);
  listings = 0;
  listFailure = undefined;
  nowMs = 0;
  const list = async () => {
    listings += 1;
    if (listFailure) throw listFailure;
    return live;
  };
  targets = new GatewayTargets({ list, secret: 'secret-of-the-services', now: () => nowMs });
});
afterEach(async () => {
  await targets.close();
  for (const gateway of gateways) await gateway.stop();
});

function posting(number: number, requests = 1): AdmissionPosting {
  const id = (kind: number): string => `00000000-0000-7000-9000-${kind}${number.toString(16).padStart(11, '0')}`;
  return { accountId: id(1), seq: 9_007_199_254_740_993n, balanceNanoUsd: BigInt(number), requestIds: Array.from({ length: requests }, (_, index) => id(index + 2)) };
}

const postsOf = (limits: { deadlineMs?: number; maxWaiting?: number } = {}): HttpAdmissionPosts => new HttpAdmissionPosts({ targets, now: () => nowMs, ...limits });
const [first, second] = [() => gateways[0] as GatewayServer, () => gateways[1] as GatewayServer];

describe('telling gateways what was posted', () => {
  it('sends all that come together in one message, and is done when it was taken', async () => {
    const all = [1, 2, 3].map((number) => posting(number, 3));
    const posts = postsOf();
    await Promise.all(all.map((each) => posts.post(each)));
    expect(first().messages).toEqual([all]);
  });

  it('gathers what comes while a message is on its way, and keeps the order', async () => {
    first().pauseMs = 30;
    const posts = postsOf();
    const beginning = posts.post(posting(1));
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    await Promise.all([beginning, posts.post(posting(2)), posts.post(posting(3))]);
    expect(first().messages.map((message) => message.map(({ balanceNanoUsd }) => balanceNanoUsd))).toEqual([[1n], [2n, 3n]]);
  });

  it('splits what is too much for one message', async () => {
    const posts = postsOf();
    await Promise.all(Array.from({ length: 2_500 }, (_, index) => posts.post(posting(index, 0))));
    expect(first().messages.map(({ length }) => length)).toEqual([500, 500, 500, 500, 500]);
  });

  it('tells every gateway that is alive', async () => {
    live = gateways;
    await postsOf().post(posting(1));
    expect(gateways.map(({ messages }) => messages)).toEqual([[[posting(1)]], [[posting(1)]]]);
  });

  it('has nobody to tell where no gateway is alive', async () => {
    live = [];
    await expect(postsOf().post(posting(1))).resolves.toBeUndefined();
  });

  it.each(['failing', 'silent'] as const)('fails when one of the gateways is %s, although the others took it', async (mood) => {
    live = gateways;
    second().mood = mood;
    const posts = postsOf({ deadlineMs: 200 });
    await expect(Promise.all([posts.post(posting(1))])).rejects.toThrow('a gateway did not take');
    expect(first().messages).toHaveLength(1);
  });

  it('does not wait again for a gateway that was silent a moment ago', async () => {
    first().mood = 'silent';
    const posts = postsOf({ deadlineMs: 100 });
    await expect(posts.post(posting(1))).rejects.toThrow();
    first().mood = 'well';
    nowMs = 999;
    await expect(posts.post(posting(2))).rejects.toMatchObject({ cause: expect.objectContaining({ message: expect.stringContaining('a moment ago') }) });
    expect(first().messages).toEqual([]);
    nowMs = 1_001;
    await posts.post(posting(3));
    expect(first().messages).toEqual([[posting(3)]]);
  });

  it('fails when nobody knows which gateways are alive', async () => {
    listFailure = new Error('no database');
    await expect(postsOf().post(posting(1))).rejects.toThrow('no database');
    listFailure = undefined;
    await expect(postsOf().post(posting(1))).resolves.toBeUndefined();
  });

  it('holds a bounded number of postings', async () => {
    first().pauseMs = 20;
    const posts = postsOf({ maxWaiting: 2 });
    const taken = [posts.post(posting(1)), posts.post(posting(2))];
    await expect(posts.post(posting(3))).rejects.toThrow('2 postings wait');
    await Promise.all(taken);
  });
});

describe('the gateways that are told', () => {
  it('are asked for once a second, by all who post', async () => {
    const posts = postsOf();
    await Promise.all([targets.current(), targets.current(), posts.post(posting(1))]);
    nowMs = 999;
    await posts.post(posting(2));
    expect(listings).toBe(1);
    live = gateways.slice(1);
    nowMs = 1_000;
    await posts.post(posting(3));
    expect(listings).toBe(2);
    expect(gateways.map(({ messages }) => messages.flat().length)).toEqual([2, 1]);
  });
});

describe('the view of the gateways', () => {
  it('is what each of them waits for', async () => {
    live = gateways;
    const [one, other] = [posting(1), posting(2)].map(({ accountId, seq, requestIds }) => ({ accountId, seq, requestIds: [...requestIds] }));
    if (one) first().unposted = [one];
    if (other) second().unposted = [other];
    expect(await new HttpAdmissionView(targets).unposted()).toEqual([one, other]);
  });

  it('cannot be had while one of them fails', async () => {
    live = gateways;
    second().mood = 'failing';
    await expect(new HttpAdmissionView(targets).unposted()).rejects.toMatchObject({ failure: 'refused' });
  });
});
