// The provider's stand-in: answers made beforehand, no parsing beyond what framing needs, so that its share of the
// second processor stays small. A process of its own; tells its port to its parent and ends with it.
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { SENT_AT, SENT_AT_DIGITS, ending, events, jsonBody, sharedMicroseconds } from './upstream-answer.js';
import { PACE_MS } from './workload.js';

const HEAD_END = Buffer.from('\r\n\r\n');
const LARGEST_HEAD = 65_536;

const jsonAnswer = Buffer.concat([
  Buffer.from(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_bench\r\ncontent-length: ${jsonBody.length}\r\n\r\n`),
  jsonBody,
]);
const streamHead = Buffer.from('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nx-request-id: req_bench\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n');
const lastChunk = Buffer.from('0\r\n\r\n');
const burstAnswer = Buffer.concat([streamHead, ...events.map(chunk), chunk(ending), lastChunk]);
const endingChunk = Buffer.concat([chunk(ending), lastChunk]);
const eventChunks = events.map(chunk);

function chunk(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
}

/** One keep-alive connection, one request at a time. */
class Connection {
  private head: Buffer | undefined;
  private bodyStart = '';
  private missingBytes = 0;
  private inBody = false;

  constructor(private readonly socket: Socket) {
    socket.setNoDelay(true);
    socket.on('data', (bytes) => this.take(bytes));
    socket.on('error', () => socket.destroy());
  }

  private take(read: Buffer): void {
    let body = read;
    if (!this.inBody) {
      const bytes = this.head ? Buffer.concat([this.head, read]) : read;
      const end = bytes.indexOf(HEAD_END);
      if (end < 0) {
        if (bytes.length > LARGEST_HEAD) this.socket.destroy();
        this.head = bytes;
        return;
      }
      this.head = undefined;
      this.missingBytes = Number(/\r\ncontent-length: *(\d+)/i.exec(bytes.toString('latin1', 0, end))?.[1] ?? 0);
      this.inBody = true;
      this.bodyStart = '';
      body = bytes.subarray(end + HEAD_END.length);
    }
    if (this.bodyStart.length < 64) this.bodyStart += body.toString('latin1', 0, 64);
    this.missingBytes -= body.length;
    if (this.missingBytes > 0) return;
    this.inBody = false;
    this.answer();
  }

  private answer(): void {
    if (this.bodyStart.includes('"user":"json"')) this.socket.write(jsonAnswer);
    else if (this.bodyStart.includes('"user":"burst"')) this.socket.write(burstAnswer);
    else this.servePaced();
  }

  private servePaced(): void {
    const { socket } = this;
    let next = 0;
    socket.write(streamHead);
    const timer = setInterval(() => {
      const event = eventChunks[next++];
      if (socket.destroyed) clearInterval(timer);
      else if (event) socket.write(stamped(event));
      else {
        clearInterval(timer);
        socket.write(endingChunk);
      }
    }, PACE_MS);
  }
}

function stamped(event: Buffer): Buffer {
  const copy = Buffer.from(event);
  copy.write(String(sharedMicroseconds()).padStart(SENT_AT_DIGITS, '0'), copy.indexOf(SENT_AT) + SENT_AT.length, 'latin1');
  return copy;
}

const server = createServer((socket) => void new Connection(socket));
server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.on('disconnect', () => process.exit(0));
