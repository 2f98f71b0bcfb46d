import { Pool } from 'undici';
import { AddressRing } from './address-ring.js';

export interface InternalClientOptions {
  /** Addresses of the replicas of one service: `http://host:port`. At least one. */
  baseUrls: readonly string[];
  /** The shared secret of the deployment's services. */
  secret: string;
  /** Milliseconds, monotonic. */
  now: () => number;
  /** Most connections to one replica; default 64. Calls beyond wait, within their deadline. */
  connectionsPerReplica?: number;
}

export interface InternalCall<Answer> {
  method: 'GET' | 'POST';
  /** Path and query. */
  path: string;
  /** Sent as JSON. */
  body?: unknown;
  /** For the whole call, all replicas together. Told to the service, too. */
  deadlineMs: number;
  traceparent?: string | undefined;
  /** From the parsed JSON to what it means; throws what is not an answer of ours. */
  read(json: unknown): Answer;
}

/**
 * `unreachable`: no replica took the request. `timeout`: no answer in time. `refused`: the service answered with an
 * error of its own, see `status` and `code`. `unreadable`: the answer is not what we speak.
 */
export type InternalCallFailure = 'unreachable' | 'timeout' | 'refused' | 'unreadable';

export class InternalCallError extends Error {
  override readonly name = 'InternalCallError';
  readonly status: number | undefined;
  readonly code: string | undefined;

  constructor(
    readonly failure: InternalCallFailure,
    message: string,
    detail: { status?: number; code?: string; cause?: unknown } = {},
  ) {
    super(message, { cause: detail.cause });
    this.status = detail.status;
    this.code = detail.code;
  }
}

interface Replica {
  url: URL;
  pool: Pool;
}

const DEFAULT_CONNECTIONS = 64;
const CONNECT_TIMEOUT_MS = 1_000;
const LARGEST_ANSWER_BYTES = 64 * 1024 * 1024;
/** A replica that starts or stops says so; another one may serve. */
const NOT_SERVING = new Set([502, 503]);
/** A kept connection that the replica closed in this moment says nothing about the replica. */
const LEAST_ATTEMPTS = 2;

/**
 * Small JSON calls from one service to the replicas of another: connections are kept alive, every call has a deadline,
 * the replicas take turns. Every internal route may be repeated without harm, so a call whose replica cannot be
 * reached, does not serve, or is silent for its share of the deadline, goes to the next one, each tried once, a single
 * one twice. A replica that was not reached, or silent, is asked after the others for a while. Owner: close().
 */
export class InternalClient {
  private readonly replicas: ReadonlyMap<string, Replica>;
  private readonly ring: AddressRing;

  constructor(private readonly options: InternalClientOptions) {
    const { baseUrls, now, connectionsPerReplica: connections = DEFAULT_CONNECTIONS } = options;
    if (baseUrls.length === 0) throw new RangeError('an internal client needs an address');
    const open = (address: string): Replica => {
      const url = new URL(address);
      return { url, pool: new Pool(url.origin, { connections, pipelining: 1, connect: { timeout: CONNECT_TIMEOUT_MS }, keepAliveTimeout: 30_000 }) };
    };
    this.replicas = new Map(baseUrls.map((address) => [address, open(address)]));
    this.ring = new AddressRing([...this.replicas.keys()], now);
  }

  /** @throws InternalCallError */
  async call<Answer>(call: InternalCall<Answer>): Promise<Answer> {
    const { now } = this.options;
    const endsAtMs = now() + call.deadlineMs;
    const order = this.ring.order();
    const attempts = Math.max(order.length, LEAST_ATTEMPTS);
    let failure = timedOut(call, undefined);
    for (let attempt = 0; attempt < attempts; attempt++) {
      const leftMs = endsAtMs - now();
      if (leftMs < 1) break;
      const address = order[attempt % order.length] as string;
      const replicasLeft = Math.max(1, order.length - attempt);
      const outcome = await this.attempt(address, call, Math.ceil(leftMs / replicasLeft));
      if ('answer' in outcome) return outcome.answer;
      failure = outcome.failure;
      if (!isWorthAnother(failure)) throw failure;
      if (failure.failure !== 'refused') this.ring.rest(address);
    }
    throw failure;
  }

  async close(): Promise<void> {
    await Promise.all([...this.replicas.values()].map(({ pool }) => pool.destroy()));
  }

  private async attempt<Answer>(address: string, call: InternalCall<Answer>, shareMs: number): Promise<{ answer: Answer } | { failure: InternalCallError }> {
    const share = AbortSignal.timeout(shareMs);
    try {
      return { answer: await this.ask(this.replicas.get(address) as Replica, call, share) };
    } catch (error) {
      return { failure: asCallError(error, share, call) };
    }
  }

  private async ask<Answer>({ url, pool }: Replica, call: InternalCall<Answer>, signal: AbortSignal): Promise<Answer> {
    const { statusCode, body } = await pool.request({
      method: call.method,
      path: url.pathname.replace(/\/+$/, '') + call.path,
      headers: this.headersOf(call),
      ...(call.body !== undefined && { body: JSON.stringify(call.body) }),
      signal,
      headersTimeout: call.deadlineMs,
      bodyTimeout: call.deadlineMs,
    });
    const text = await readText(body);
    if (statusCode < 200 || statusCode > 299) throw refusal(call, statusCode, text);
    try {
      return call.read(JSON.parse(text));
    } catch (cause) {
      throw new InternalCallError('unreadable', `the answer to ${call.path} cannot be read`, { status: statusCode, cause });
    }
  }

  private headersOf({ body, deadlineMs, traceparent }: InternalCall<unknown>): Record<string, string> {
    return {
      authorization: `Bearer ${this.options.secret}`,
      'x-tokone-deadline-ms': String(deadlineMs),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(traceparent !== undefined && { traceparent }),
    };
  }
}

async function readText(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > LARGEST_ANSWER_BYTES) throw new InternalCallError('unreadable', `the answer is larger than ${LARGEST_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function refusal({ path }: InternalCall<unknown>, status: number, text: string): InternalCallError {
  const { code, message } = readError(text);
  return new InternalCallError('refused', message ?? `${path} was answered with status ${status}`, { status, ...(code !== undefined && { code }) });
}

function readError(text: string): { code?: string; message?: string } {
  try {
    return (JSON.parse(text) as { error?: { code?: string; message?: string } }).error ?? {};
  } catch {
    return {};
  }
}

function asCallError(error: unknown, share: AbortSignal, call: InternalCall<unknown>): InternalCallError {
  if (error instanceof InternalCallError) return error;
  if (share.aborted) return timedOut(call, error);
  return new InternalCallError('unreachable', `${call.path} could not be asked: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
}

function timedOut({ path, deadlineMs }: InternalCall<unknown>, cause: unknown): InternalCallError {
  return new InternalCallError('timeout', `${path} was not answered within ${deadlineMs} ms`, { cause });
}

function isWorthAnother({ failure, status }: InternalCallError): boolean {
  return failure === 'unreachable' || failure === 'timeout' || (failure === 'refused' && status !== undefined && NOT_SERVING.has(status));
}
