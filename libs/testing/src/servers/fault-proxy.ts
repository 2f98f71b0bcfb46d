import { once } from 'node:events';
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const DROP_RESET_MS = 100;

/** `up` is from the client to the server. */
export type Direction = 'up' | 'down';

export interface FaultProxyOptions {
  target: { host?: string; port: number };
  /** Default: a free one. */
  port?: number;
}

export interface DroppedAnswers {
  /** Which bytes of a client, as they come, are to stay without an answer; default: all that is said from now on. */
  to?: (request: Buffer) => boolean;
  /** After so many connections that lost an answer the fault is over by itself; default: until heal(). */
  times?: number;
  /** Between the first byte that is swallowed and the reset. */
  afterMs?: number;
}

interface Lane {
  delayMs: number;
  /** Pending while the lane is paused. */
  open: Promise<void>;
  release: () => void;
  bytesLeft: number;
}

interface Connection {
  client: Socket;
  server: Socket;
  /** The answers of this connection are swallowed, until it is reset so long after the first. */
  muted: { afterMs: number; ending: boolean } | undefined;
}

/** Between a client and a server on this machine: TCP that does what networks and dying machines do. */
export class FaultProxy {
  target: { host: string; port: number };
  private readonly lanes: Record<Direction, Lane> = { up: openLane(), down: openLane() };
  private readonly open = new Set<Connection>();
  private refusing = false;
  private lost = 0;
  private dropped: Required<DroppedAnswers> | undefined;

  private constructor(
    private readonly listener: Server,
    target: { host?: string; port: number },
  ) {
    this.target = { host: '127.0.0.1', ...target };
    listener.on('connection', (client) => this.accept(client));
  }

  /** The target need not listen yet. */
  static async start({ target, port = 0 }: FaultProxyOptions): Promise<FaultProxy> {
    const listener = createServer({ noDelay: true, allowHalfOpen: true });
    listener.listen(port, '127.0.0.1');
    await once(listener, 'listening');
    return new FaultProxy(listener, target);
  }

  get port(): number {
    return (this.listener.address() as AddressInfo).port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Open now. */
  get connections(): number {
    return this.open.size;
  }

  /** Connections whose client said something that the server answered, and never heard the answer. */
  get lostAnswers(): number {
    return this.lost;
  }

  /** Bytes wait; the connections stay. Without a direction: both. */
  pause(direction?: Direction): void {
    for (const lane of this.lanesOf(direction)) {
      lane.release();
      lane.open = new Promise((resolve) => (lane.release = resolve));
    }
  }

  resume(direction?: Direction): void {
    for (const lane of this.lanesOf(direction)) lane.release();
  }

  /** Every piece waits so long; order is kept. */
  delay(delayMs: number, direction?: Direction): void {
    for (const lane of this.lanesOf(direction)) lane.delayMs = delayMs;
  }

  /** After so many bytes more the connection that carries the last of them is reset, once. */
  cutAfter(bytes: number, direction: Direction = 'down'): void {
    this.lanes[direction].bytesLeft = bytes;
  }

  /** What a client says arrives, and its answer is lost: it cannot know whether the server has done it. */
  dropAnswers({ to = () => true, times = Infinity, afterMs = DROP_RESET_MS }: DroppedAnswers = {}): void {
    this.dropped = { to, times, afterMs };
  }

  /** New connections are reset at once. */
  refuse(): void {
    this.refusing = true;
  }

  /** Resets what is open. */
  resetAll(): void {
    for (const connection of this.open) reset(connection);
  }

  /** All faults off; what is open goes on. */
  heal(): void {
    this.refusing = false;
    this.dropped = undefined;
    for (const lane of this.lanesOf()) {
      lane.release();
      lane.delayMs = 0;
      lane.bytesLeft = Infinity;
    }
  }

  async stop(): Promise<void> {
    this.heal();
    this.resetAll();
    if (!this.listener.listening) return;
    await new Promise((resolve) => this.listener.close(resolve));
  }

  private lanesOf(direction?: Direction): Lane[] {
    return direction === undefined ? [this.lanes.up, this.lanes.down] : [this.lanes[direction]];
  }

  private accept(client: Socket): void {
    client.on('error', () => undefined);
    if (this.refusing) return void client.resetAndDestroy();
    const server = connect({ ...this.target, noDelay: true, allowHalfOpen: true });
    const connection: Connection = { client, server, muted: undefined };
    this.open.add(connection);
    server.on('error', () => client.resetAndDestroy());
    client.on('close', () => server.destroy());
    server.on('close', () => {
      // A server that closed in order has ended the client's side too, which may still read what is on its way.
      if (!client.writableEnded) client.destroy();
      this.open.delete(connection);
    });
    void this.carry(connection, 'up');
    void this.carry(connection, 'down');
  }

  private async carry(connection: Connection, direction: Direction): Promise<void> {
    const [from, to] = direction === 'up' ? [connection.client, connection.server] : [connection.server, connection.client];
    try {
      for await (const chunk of from as AsyncIterable<Buffer>) {
        await this.lanes[direction].open;
        const { delayMs } = this.lanes[direction];
        if (delayMs > 0) await delay(delayMs);
        if (direction === 'up') this.considerMuting(connection, chunk);
        else if (this.swallows(connection)) continue;
        await this.pass(connection, { chunk, to, lane: this.lanes[direction] });
      }
      to.end();
    } catch {
      // One end was reset, which the other end learns from the handlers of accept().
    }
  }

  private considerMuting(connection: Connection, request: Buffer): void {
    const { dropped } = this;
    if (dropped === undefined || connection.muted !== undefined || !dropped.to(request)) return;
    connection.muted = { afterMs: dropped.afterMs, ending: false };
    dropped.times -= 1;
    if (dropped.times === 0) this.dropped = undefined;
  }

  /** Whether what the server says is lost; the first loss sets the time at which the client learns that it is alone. */
  private swallows(connection: Connection): boolean {
    const { muted } = connection;
    if (muted === undefined) return false;
    if (!muted.ending) {
      this.lost += 1;
      setTimeout(reset, muted.afterMs, connection);
    }
    muted.ending = true;
    return true;
  }

  private async pass(connection: Connection, { chunk, to, lane }: { chunk: Buffer; to: Socket; lane: Lane }): Promise<void> {
    const cut = chunk.length >= lane.bytesLeft;
    const bytes = cut ? chunk.subarray(0, lane.bytesLeft) : chunk;
    lane.bytesLeft = cut ? Infinity : lane.bytesLeft - bytes.length;
    if (!to.write(bytes) && !cut) await once(to, 'drain');
    if (!cut) return;
    await new Promise((resolve) => to.write('', resolve));
    // A reset throws away what the other end has not read yet: it gets the time to.
    await delay(1);
    reset(connection);
  }
}

function openLane(): Lane {
  return { delayMs: 0, open: Promise.resolve(), release: () => undefined, bytesLeft: Infinity };
}

function reset({ client, server }: Connection): void {
  client.resetAndDestroy();
  server.resetAndDestroy();
}
