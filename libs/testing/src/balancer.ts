import { once } from 'node:events';
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';

export interface BalancerTarget {
  host: string;
  port: number;
  /** Asked for `/health/ready`. A target that is not ready gets no new connection while another one is. */
  managementUrl: string;
}

export interface BalancerOptions {
  host?: string;
  /** Default: a free one. */
  port?: number;
  targets: readonly BalancerTarget[];
  /** Pause between questions for readiness; default 250 ms. */
  intervalMs?: number;
}

interface Watched extends BalancerTarget {
  ready: boolean;
}

const INTERVAL_MS = 250;
const QUESTION_MS = 1_000;
/** Thousands of connections may be asked for at once, by this process that shares its processors with all it connects to. */
const CONNECT_MS = 5_000;
const BACKLOG = 4_096;

/**
 * Connections in turn to several gateways, like a balancer of a network: it knows nothing of HTTP, passes halves of a
 * connection and resets on as they come, and notices by their readiness which gateways to leave alone.
 */
export class Balancer {
  private readonly open = new Set<Socket>();
  private readonly targets: Watched[];
  private readonly timer: NodeJS.Timeout;
  private turn = 0;
  private closed = false;

  private constructor(
    private readonly listener: Server,
    { targets, intervalMs = INTERVAL_MS }: BalancerOptions,
  ) {
    this.targets = targets.map((target) => ({ ...target, ready: true }));
    this.timer = setInterval(() => this.targets.forEach((target) => void watch(target)), intervalMs);
    listener.on('connection', (client) => void this.accept(client));
  }

  static async start(options: BalancerOptions): Promise<Balancer> {
    const listener = createServer({ noDelay: true, allowHalfOpen: true, pauseOnConnect: true });
    listener.listen({ port: options.port ?? 0, host: options.host ?? '127.0.0.1', backlog: BACKLOG });
    await once(listener, 'listening');
    return new Balancer(listener, options);
  }

  get url(): string {
    const { address, port, family } = this.listener.address() as AddressInfo;
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.timer);
    const closed = new Promise((resolve) => this.listener.close(resolve));
    for (const socket of this.open) socket.destroy();
    await closed;
  }

  private async accept(client: Socket): Promise<void> {
    this.keep(client);
    for (const target of this.inTurn()) {
      const server = await reach(target);
      if (server === undefined) continue;
      if (this.closed || client.destroyed) return void server.destroy();
      this.keep(server);
      join(client, server);
      join(server, client);
      return;
    }
    client.resetAndDestroy();
  }

  /** Each once, the ready ones first. */
  private inTurn(): Watched[] {
    const first = this.turn++ % this.targets.length;
    const all = [...this.targets.slice(first), ...this.targets.slice(0, first)];
    return [...all.filter(({ ready }) => ready), ...all.filter(({ ready }) => !ready)];
  }

  private keep(socket: Socket): void {
    this.open.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => this.open.delete(socket));
  }
}

async function watch(target: Watched): Promise<void> {
  target.ready = await fetch(`${target.managementUrl}/health/ready`, { signal: AbortSignal.timeout(QUESTION_MS) }).then(
    async (answer) => {
      await answer.arrayBuffer();
      return answer.status === 200;
    },
    () => false,
  );
}

async function reach({ host, port }: BalancerTarget): Promise<Socket | undefined> {
  const socket = connect({ host, port, noDelay: true, allowHalfOpen: true, timeout: CONNECT_MS });
  return new Promise((resolve) => {
    const fail = (): void => {
      socket.destroy();
      resolve(undefined);
    };
    socket.once('error', fail).once('timeout', fail);
    socket.once('connect', () => {
      socket.off('error', fail).off('timeout', fail).setTimeout(0);
      resolve(socket);
    });
  });
}

/** What one side says goes to the other; an end ends its half, a reset resets. */
function join(from: Socket, to: Socket): void {
  from.pipe(to);
  from.once('error', () => to.resetAndDestroy());
  from.once('close', () => {
    if (!from.readableEnded) to.destroy();
  });
}
