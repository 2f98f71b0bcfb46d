import { once } from 'node:events';
import type { Socket } from 'node:net';
import { openSocketPair } from './fixtures/socket-pair.js';
import type { SocketPair } from './fixtures/socket-pair.js';
import { gatherWrites } from './gathered-writes.js';

let pair: SocketPair;
let client: Socket;
let peer: Socket;
let received: string;

beforeEach(async () => {
  pair = await openSocketPair();
  ({ client, peer } = pair);
  received = '';
  peer.setEncoding('utf8').on('data', (text: string) => (received += text));
  gatherWrites(client);
});

afterEach(() => pair.close());

/** What the kernel has not been given yet. */
const held = (): number => client.writableLength;
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

it('keeps what is written in one turn of the event loop, and gives it away at its end, in order', async () => {
  client.write('one ');
  await Promise.resolve();
  client.write(Buffer.from('two '));
  expect(held()).toBe(8);
  await nextTurn();
  expect(held()).toBe(0);
  await new Promise((resolve) => client.write('three', resolve));
  client.end();
  await once(peer, 'end');
  expect(received).toBe('one two three');
});

it('begins anew in each turn', async () => {
  for (const text of ['a', 'b', 'c']) {
    client.write(text);
    expect(held()).toBe(1);
    await nextTurn();
    expect(held()).toBe(0);
  }
});

it('gives everything away before an end that comes in the same turn', async () => {
  client.write('last');
  client.end();
  await once(peer, 'end');
  expect(received).toBe('last');
});

it('tells the writer when the socket is destroyed before the turn is over', async () => {
  const told = new Promise<Error | null | undefined>((resolve) => client.write('lost', resolve));
  client.destroy();
  expect(await told).toMatchObject({ code: 'ERR_STREAM_DESTROYED' });
  await nextTurn();
});
