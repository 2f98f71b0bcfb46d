import type { Socket } from 'node:net';
import { openSocketPair } from './fixtures/socket-pair.js';
import type { SocketPair } from './fixtures/socket-pair.js';
import { SilenceWatch } from './silence-watch.js';

const SILENCE_MS = 200;

let pair: SocketPair;
let client: Socket;
let peer: Socket;
let owes: boolean;
let error: Error | undefined;

beforeEach(async () => {
  pair = await openSocketPair();
  ({ client, peer } = pair);
  [owes, error] = [true, undefined];
  client.on('error', (cause) => (error = cause)).resume();
});

afterEach(() => pair.close());

const watch = (): SilenceWatch => new SilenceWatch(client, { silenceMs: SILENCE_MS, owes: () => owes });
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

it('gives a connection up that owes answers and says nothing', async () => {
  watch();
  await new Promise((resolve) => client.once('close', resolve));
  expect(error?.message).toBe('no answer for 200 ms');
});

it('keeps one that owes nothing, and one that answers', async () => {
  owes = false;
  watch();
  await pause(3 * SILENCE_MS);
  expect(client.destroyed).toBe(false);
  owes = true;
  const answering = setInterval(() => peer.write('x'), SILENCE_MS / 4);
  await pause(4 * SILENCE_MS);
  clearInterval(answering);
  expect(client.destroyed).toBe(false);
});

it('reads first what lies in the socket when this process stood still', async () => {
  watch();
  await new Promise((resolve) => peer.write('an answer', resolve));
  const until = performance.now() + 3 * SILENCE_MS;
  while (performance.now() < until);
  await pause(SILENCE_MS);
  expect(client.destroyed).toBe(false);
});
