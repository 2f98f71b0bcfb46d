import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Cluster, Redis } from 'ioredis';
import type { ClusterOptions, RedisOptions } from 'ioredis';
import type { Logger } from '@tokone/telemetry';
import { AnswerDeadline } from './answer-deadline.js';
import { gatherWrites } from './gathered-writes.js';
import { SilenceWatch } from './silence-watch.js';

/** One action: a Lua script that sees the keys that it is called with. Its text decides what runs, never its name. */
export interface RedisScript {
  /** For logs and errors. */
  name: string;
  lua: string;
}

export interface RedisStoreOptions {
  /** `redis://host:port`, or more of them with commas in between: nodes of a Redis Cluster. */
  url: string;
  /** A single address is asked for the other nodes too. More addresses are always a cluster. Default false. */
  cluster?: boolean;
  /** Shown in `CLIENT LIST`. */
  clientName: string;
  logger: Logger;
  /** Milliseconds, monotonic. */
  now: () => number;
  /** An answer that takes longer is a failure. Default 50 ms. */
  deadlineMs?: number;
}

/** Redis did not answer in time, or not as a server that is well: nobody knows whether the action took place. */
export class RedisUnavailableError extends Error {
  override readonly name = 'RedisUnavailableError';

  constructor(
    message: string,
    /** False: it never left this process. */
    readonly sent: boolean,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

const DEADLINE_MS = 50;
/** A connection that owes an answer for so long is given up. Well above the deadline: one slow moment must not fail everything that is under way. */
const SILENCE_MS = 1_000;
const CONNECT_TIMEOUT_MS = 1_000;
/** A socket that does not end by itself is destroyed then. */
const DISCONNECT_MS = 200;
/** All sockets are destroyed long before. */
const CLOSE_MS = 1_000;
const LONGEST_RETRY_MS = 500;
const CONNECTED_POLL_MS = 20;
const SCAN_COUNT = 500;

/**
 * Redis as a place for scripts on one key, or on some of one slot, on one server or a cluster. Nothing waits for a connection: what cannot
 * be sent now fails now. Nothing is sent twice: an action whose answer was lost is its caller's to repeat.
 * Owner: close().
 */
export class RedisStore {
  private readonly client: Redis | Cluster;
  private readonly deadline: AnswerDeadline;
  private well = true;
  /** What went wrong last, while nothing goes well. */
  private trouble: string | undefined;

  constructor(private readonly options: RedisStoreOptions) {
    this.deadline = new AnswerDeadline({ deadlineMs: options.deadlineMs ?? DEADLINE_MS, now: options.now });
    const addresses = options.url.split(',');
    this.client = options.cluster === true || addresses.length > 1 ? new Cluster(addresses, clusterOptions(options)) : new Redis(addresses[0] ?? '', serverOptions(options));
    // Without a listener each failed attempt to connect would end the process.
    this.client.on('error', (error: Error) => this.noteTrouble(error));
    this.client.on('ready', () => this.noteWell());
    if (this.client instanceof Cluster) this.client.on('+node', tendConnections);
    else tendConnections(this.client);
  }

  /** Whether a server could be asked right now, as far as is known. */
  get connected(): boolean {
    return this.client.status === 'ready';
  }

  /** Resolves as soon as a server can be asked; of a cluster all that answer now. @throws RedisUnavailableError after the deadline, or the reason of `stop`. */
  async untilConnected(deadlineMs: number, stop?: AbortSignal): Promise<void> {
    const deadline = AbortSignal.timeout(deadlineMs);
    while (!(this.connected && (await this.reachesNodes()))) {
      stop?.throwIfAborted();
      if (deadline.aborted) throw new RedisUnavailableError(`Redis did not answer within ${deadlineMs} ms${this.trouble === undefined ? '' : `: ${this.trouble}`}`, false);
      await delay(CONNECTED_POLL_MS);
    }
  }

  /** The nodes of a cluster are connected to at their first use, which would take longer than an answer may. One that is away keeps nobody from the others. */
  private async reachesNodes(): Promise<boolean> {
    if (!(this.client instanceof Cluster)) return true;
    const late = delay(CONNECT_TIMEOUT_MS, false, { ref: false });
    const answers = this.client.nodes('master').map((node) => Promise.race([node.ping().then(() => true, () => false), late]));
    return (await Promise.all(answers)).includes(true);
  }

  /** Several keys share what stands in braces, so that one node of a cluster has them. @throws RedisUnavailableError within the deadline. */
  async run(script: RedisScript, keys: string | readonly string[], args: readonly (string | number)[]): Promise<readonly unknown[]> {
    if (!this.connected) throw new RedisUnavailableError(`Redis is not connected, so ${script.name} was not sent`, false);
    try {
      const all = typeof keys === 'string' ? [keys] : keys;
      return (await this.deadline.within(this.evaluate(script, [all.length, ...all, ...args]))) as readonly unknown[];
    } catch (cause) {
      throw new RedisUnavailableError(`Redis did not run ${script.name}: ${(cause as Error).message}`, true, { cause });
    }
  }

  /** Resolves when everything that is under way has its answer, or has failed. */
  settled(): Promise<void> {
    return this.deadline.settled();
  }

  /** All keys that begin so, in pages, of all servers; one that is there throughout comes at least once. @throws when a server did not answer, behind what all others have. */
  async *keys(prefix: string): AsyncGenerator<readonly string[]> {
    const servers = this.client instanceof Cluster ? this.client.nodes('master') : [this.client];
    let failure: unknown;
    for (const server of servers) {
      try {
        yield* this.keysOf(server, prefix);
      } catch (error) {
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
  }

  private async *keysOf(server: Redis | Cluster, prefix: string): AsyncGenerator<readonly string[]> {
    let cursor = '0';
    do {
      const [next, keys] = await this.deadline.within(server.scan(cursor, 'MATCH', `${escapePattern(prefix)}*`, 'COUNT', SCAN_COUNT));
      cursor = next;
      if (keys.length > 0) yield keys;
    } while (cursor !== '0');
  }

  /** Fields and values of a hash; empty when it is not there. */
  async fieldsOf(key: string): Promise<Record<string, string>> {
    return this.deadline.within(this.client.hgetall(key));
  }

  async remove(key: string): Promise<void> {
    await this.deadline.within(this.client.del(key));
  }

  /** Drops the connection, and connects anew: it may have led to a server that is no longer the right one. */
  reconnect(): void {
    if (this.client instanceof Cluster) this.client.nodes('all').forEach((node) => node.disconnect(true));
    else this.client.disconnect(true);
  }

  /** Resolves when nothing of it is left. What is under way fails. */
  async close(): Promise<void> {
    const { client } = this;
    // Between two attempts to connect there is nothing whose end would be told.
    const open = !['end', 'reconnecting', 'wait'].includes(client.status);
    const ended = new Promise<void>((resolve) => client.once('end', resolve));
    client.disconnect();
    // Nor is it told of a cluster whose first addresses are still being looked up.
    if (open) await Promise.race([ended, delay(CLOSE_MS, undefined, { ref: false })]);
  }

  /** `args` begins with the number of keys. */
  private async evaluate({ lua }: RedisScript, args: readonly (string | number)[]): Promise<unknown> {
    try {
      return await this.client.call('EVALSHA', shaOf(lua), ...args);
    } catch (error) {
      if (!(error as Error).message.startsWith('NOSCRIPT')) throw error;
      // A server that has just started knows no script; this teaches it, and runs it.
      return this.client.call('EVAL', lua, ...args);
    }
  }

  private noteTrouble(error: Error): void {
    if (this.well) this.options.logger.warn({ cause: String(error) }, 'Redis cannot be reached; it is tried again');
    this.well = false;
    this.trouble = error.message;
  }

  private noteWell(): void {
    if (!this.well) this.options.logger.info({}, 'Redis can be reached again');
    this.well = true;
    this.trouble = undefined;
  }
}

function tendConnections(server: Redis): void {
  server.on('connect', () => {
    const socket = server.stream as Socket;
    gatherWrites(socket);
    new SilenceWatch(socket, { silenceMs: SILENCE_MS, owes: () => owesAnswers(server) });
  });
}

/** Its type is of a package that is not ours to name. */
function owesAnswers(server: Redis): boolean {
  return (server as unknown as { commandQueue: { length: number } }).commandQueue.length > 0;
}

/** Shared by a single server and the nodes of a cluster. */
function serverOptions({ clientName }: RedisStoreOptions): RedisOptions {
  return {
    connectionName: clientName,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    connectTimeout: CONNECT_TIMEOUT_MS,
    disconnectTimeout: DISCONNECT_MS,
    maxLoadingRetryTime: LONGEST_RETRY_MS,
    retryStrategy: retryDelayMs,
    // A server that became a replica: its successor answers at the same address, or at another one of the cluster.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
    // The deadline of an answer is `AnswerDeadline`: a timer of its own would fire, after a pause of this process,
    // before the answer that lies in the socket has been read.
  };
}

function clusterOptions(options: RedisStoreOptions): ClusterOptions {
  const { retryStrategy: _single, ...redisOptions } = serverOptions(options);
  return {
    redisOptions,
    enableOfflineQueue: false,
    clusterRetryStrategy: retryDelayMs,
    slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
    slotsRefreshInterval: 5_000,
    retryDelayOnClusterDown: 10,
    retryDelayOnFailover: 10,
    maxRedirections: 3,
  };
}

function retryDelayMs(times: number): number {
  return Math.min(20 * 2 ** Math.min(times, 10), LONGEST_RETRY_MS);
}

const shas = new Map<string, string>();

function shaOf(lua: string): string {
  let sha = shas.get(lua);
  if (sha === undefined) shas.set(lua, (sha = createHash('sha1').update(lua).digest('hex')));
  return sha;
}

function escapePattern(prefix: string): string {
  return prefix.replace(/[*?[\]\\^-]/g, '\\$&');
}
