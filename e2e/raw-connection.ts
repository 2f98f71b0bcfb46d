import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { waitFor } from '@tokone/testing';
import type { WireAnswer } from './deployment.js';

const ANSWER_DEADLINE_MS = 20_000;

/** A TCP connection on which a test writes whatever bytes it likes. */
export class RawConnection {
  private received = Buffer.alloc(0);
  /** Nothing more will come: the other side has ended or reset the connection. */
  closed = false;

  private constructor(private readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => (this.received = Buffer.concat([this.received, chunk])));
    socket.on('error', () => undefined);
    for (const event of ['end', 'close']) socket.on(event, () => (this.closed = true));
  }

  static async open(baseUrl: string): Promise<RawConnection> {
    const { hostname, port } = new URL(baseUrl);
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new RawConnection(socket);
  }

  /** Resolves when the bytes have been handed to the kernel, or the connection is gone. */
  write(bytes: string | Buffer): Promise<void> {
    return new Promise((resolve) => this.socket.write(bytes, () => resolve()));
  }

  /** Ends our side only. */
  end(): void {
    this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** The first `count` answers, once they are whole; throws when fewer came before the connection was closed. */
  async answers(count: number, deadlineMs = ANSWER_DEADLINE_MS): Promise<WireAnswer[]> {
    const found = await waitFor(() => {
      const read = readAnswers(this.received);
      return (read.length >= count || this.closed) && read;
    }, { what: `${count} answers; so far: ${this.received.toString('latin1').slice(0, 500)}`, deadlineMs });
    if (found.length < count) throw new Error(`the connection was closed after ${found.length} of ${count} answers: ${this.received.toString('latin1').slice(0, 500)}`);
    return found;
  }

  async untilClosed(deadlineMs = ANSWER_DEADLINE_MS): Promise<void> {
    await waitFor(() => this.closed, { what: 'the connection to be closed', deadlineMs });
  }
}

/** Answers that have a content-length; 100 Continue is passed over. */
function readAnswers(bytes: Buffer): WireAnswer[] {
  const answers: WireAnswer[] = [];
  let at = 0;
  for (;;) {
    const headEnd = bytes.indexOf('\r\n\r\n', at);
    if (headEnd < 0) return answers;
    const [statusLine = '', ...lines] = bytes.toString('latin1', at, headEnd).split('\r\n');
    const headers = Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]));
    const end = headEnd + 4 + Number(headers['content-length'] ?? 0);
    if (bytes.length < end) return answers;
    const status = Number(statusLine.split(' ')[1]);
    const body = bytes.subarray(headEnd + 4, end);
    const text = body.toString('utf8');
    if (status !== 100) answers.push({ status, headers, bytes: body, text, broken: false, json: () => JSON.parse(text) as Record<string, unknown> });
    at = end;
  }
}
