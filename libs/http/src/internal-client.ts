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

/** Of one question to one replica. */
interface Limits {
  leftMs: number;
  signal: AbortSignal;
}

/** One question to one replica. Its outcome never rejects. */
interface Attempt<Answer> {
  address: string;
  outcome: Promise<{ of: Attempt<Answer> } & ({ answer: Answer } | { failure: InternalCallError })>;
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
 * one that fails twice; whoever answers first is believed, for a silent one may only be slow. A replica that was not
 * reached, or silent, is asked after the others for a while. Owner: close().
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
    const over = new AbortController();
    const signal = AbortSignal.any([AbortSignal.timeout(call.deadlineMs), over.signal]);
    try {
      return await this.askInTurn(call, signal);
    } finally {
      over.abort();
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.replicas.values()].map(({ pool }) => pool.destroy()));
  }

  /** The next replica is asked when one failed, or its share of the time is over; those before it may still be the first to answer. */
  private async askInTurn<Answer>(call: InternalCall<Answer>, signal: AbortSignal): Promise<Answer> {
    const { now } = this.options;
    const endsAtMs = now() + call.deadlineMs;
    const order = this.ring.order();
    const waiting = order.length < LEAST_ATTEMPTS ? [...order, ...order] : [...order];
    const running = new Set<Attempt<Answer>>();
    let failure = timedOut(call, undefined);
    while (waiting.length > 0 || running.size > 0) {
      const leftMs = Math.ceil(endsAtMs - now());
      if (leftMs < 1) break;
      const address = waiting.shift();
      if (address !== undefined) running.add(this.begin(address, call, { leftMs, signal }));
      const others = waiting.filter((other) => other !== address).length;
      const outcome = await firstWithin(running, leftMs / (1 + others));
      if (outcome === undefined) {
        if (address !== undefined) this.ring.rest(address);
        continue;
      }
      if ('answer' in outcome) return outcome.answer;
      running.delete(outcome.of);
      failure = outcome.failure;
      if (!isWorthAnother(failure)) throw failure;
      if (failure.failure === 'unreachable') this.ring.rest(outcome.of.address);
    }
    throw running.size > 0 ? timedOut(call, undefined) : failure;
  }

  private begin<Answer>(address: string, call: InternalCall<Answer>, limits: Limits): Attempt<Answer> {
    const asked = this.ask(this.replicas.get(address) as Replica, call, limits);
    const attempt: Attempt<Answer> = {
      address,
      outcome: asked.then(
        (answer) => ({ of: attempt, answer }),
        (error: unknown) => ({ of: attempt, failure: asCallError(error, limits.signal, call) }),
      ),
    };
    return attempt;
  }

  private async ask<Answer>({ url, pool }: Replica, call: InternalCall<Answer>, { leftMs, signal }: Limits): Promise<Answer> {
    const { statusCode, body } = await pool.request({
      method: call.method,
      path: url.pathname.replace(/\/+$/, '') + call.path,
      headers: this.headersOf(call, leftMs),
      ...(call.body !== undefined && { body: JSON.stringify(call.body) }),
      signal,
      headersTimeout: leftMs,
      bodyTimeout: leftMs,
    });
    const text = await readText(body);
    if (statusCode < 200 || statusCode > 299) throw refusal(call, statusCode, text);
    try {
      return call.read(JSON.parse(text));
    } catch (cause) {
      throw new InternalCallError('unreadable', `the answer to ${call.path} cannot be read`, { status: statusCode, cause });
    }
  }

  private headersOf({ body, traceparent }: InternalCall<unknown>, leftMs: number): Record<string, string> {
    return {
      authorization: `Bearer ${this.options.secret}`,
      'x-tokone-deadline-ms': String(leftMs),
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

async function firstWithin<Answer>(running: ReadonlySet<Attempt<Answer>>, timeMs: number): Promise<Awaited<Attempt<Answer>['outcome']> | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), timeMs)));
  try {
    return await Promise.race([late, ...[...running].map(({ outcome }) => outcome)]);
  } finally {
    clearTimeout(timer);
  }
}

function asCallError(error: unknown, signal: AbortSignal, call: InternalCall<unknown>): InternalCallError {
  if (error instanceof InternalCallError) return error;
  if (signal.aborted) return timedOut(call, error);
  return new InternalCallError('unreachable', `${call.path} could not be asked: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
}

function timedOut({ path, deadlineMs }: InternalCall<unknown>, cause: unknown): InternalCallError {
  return new InternalCallError('timeout', `${path} was not answered within ${deadlineMs} ms`, { cause });
}

function isWorthAnother({ failure, status }: InternalCallError): boolean {
  return failure === 'unreachable' || (failure === 'refused' && status !== undefined && NOT_SERVING.has(status));
}
