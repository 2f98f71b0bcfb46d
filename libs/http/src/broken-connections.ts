import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * What is written, whole, before a connection ends; undefined ends it without a word. `inBody`: the request whose body is
 * at fault, if it could be read so far.
 */
export type ConnectionRefusal = (error: NodeJS.ErrnoException, inBody: IncomingMessage | undefined) => string | undefined;

/**
 * Node looks at its deadlines before it reads what has come: after a standstill of the whole process (a paused machine,
 * a stopped container) it would refuse requests of which every byte is there. This is how long they get to be read.
 */
const READING_MS = 250;
/** When a head behind an answer that still runs is looked at again. */
const HEAD_MS = 10_000;
/** How long a client may take to read its refusal and to close. */
const LINGER_MS = 5_000;

/**
 * Ends the connections of a server that bring what is not HTTP, too large a head, or a request that does not come in
 * time. Only where no answer is under way a refusal is written; the server asks `isOpen` before it serves a request.
 */
export class BrokenConnections {
  /** The answer to the last request of a connection whose head could be read. */
  private readonly latest = new WeakMap<Socket, ServerResponse>();

  /** `bodyMs`: how long a request may take from its head to its end. */
  constructor(
    private readonly bodyMs: number,
    private readonly refusal: ConnectionRefusal,
  ) {}

  watch(server: Server): void {
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.judge(error, socket as Socket));
  }

  /** To be asked with every request. False: its connection has been refused already, and whoever sent it was told to send it again. */
  isOpen(response: ServerResponse): boolean {
    const { socket } = response.req;
    if (!socket.writable) return false;
    this.latest.set(socket, response);
    return true;
  }

  private judge(error: NodeJS.ErrnoException, socket: Socket): void {
    if (error.code !== 'ERR_HTTP_REQUEST_TIMEOUT') return this.refuse(error, socket);
    const latest = this.latest.get(socket);
    if (latest && !latest.req.complete) this.judgeBody(latest, { error, socket, afterMs: READING_MS });
    else this.judgeHead({ error, socket, afterMs: READING_MS });
  }

  /** Node has forgotten this deadline by now, so that it is kept here until the message is whole. */
  private judgeHead({ error, socket, afterMs }: Late): void {
    const before = this.latest.get(socket);
    setTimeout(() => {
      const now = this.latest.get(socket);
      if (socket.destroyed) return;
      if (now && now !== before) return this.judgeBody(now, { error, socket, afterMs: this.bodyMs });
      if (now && !now.writableFinished) return this.judgeHead({ error, socket, afterMs: HEAD_MS });
      // Clients and balancers open connections in reserve: an answer to nothing would be taken for that to the first request.
      if (socket.bytesRead === 0) socket.destroy();
      else this.refuse(error, socket);
    }, afterMs).unref();
  }

  private judgeBody(latest: ServerResponse, { error, socket, afterMs }: Late): void {
    if (latest.req.complete) return;
    setTimeout(() => {
      if (!latest.req.complete && !socket.destroyed) this.refuse(error, socket);
    }, afterMs).unref();
  }

  private refuse(error: NodeJS.ErrnoException, socket: Socket): void {
    // More of the same behind a refusal: it is read and forgotten, so that the refusal arrives.
    if (socket.writableEnded) return;
    const latest = this.latest.get(socket);
    const inBody = latest?.socket === socket && !latest.headersSent && !latest.req.complete;
    const idle = latest === undefined || (latest.writableFinished && latest.req.complete);
    const mayWrite = socket.writable && error.code !== 'ECONNRESET' && (inBody || idle);
    const text = mayWrite ? this.refusal(error, inBody ? latest.req : undefined) : undefined;
    if (text === undefined) return void socket.destroy();
    socket.end(text);
    const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
    socket.once('close', () => clearTimeout(timer));
  }
}

interface Late {
  error: NodeJS.ErrnoException;
  socket: Socket;
  afterMs: number;
}
