import { once } from 'node:events';
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';
import { gatherWrites } from './gathered-writes.js';

let server: Server;
let client: Socket;
let peer: Socket;
let received: string;

beforeEach(async () => {
  server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  [[peer]] = await Promise.all([accepted, once(client, 'connect')]);
  received = '';
  peer.setEncoding('utf8').on('data', (text: string) => (received += text));
  gatherWrites(client);
});

afterEach(async () => {
  client.destroy();
  peer.destroy();
  server.close();
  await once(server, 'close');
});

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
