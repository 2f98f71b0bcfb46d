import type { AnswerFraming, BodyFacts, Dialect, ErrorCode } from '@tokone/protocol';

/** What the gateway says about a request; plain data, so that it can cross a service boundary. */
export interface DispatchHead {
  requestId: string;
  /** Parent of the spans of its attempts, while the request is recorded. W3C trace context. */
  traceparent?: string | undefined;
  groupId: string;
  /** What the client spoke; the body is in it. */
  dialect: Dialect;
  /** As the tenant asked for it. */
  model: string;
  streamed: boolean;
  /** Framing that the client expects. */
  framing: AnswerFraming;
  /** Allow-listed headers of the client, flat: name, value, name, value … Never its key. */
  headers: readonly string[];
  facts: BodyFacts;
  /** Written into the request when the balance, not the client, bounds the output. Tokens. */
  outputLimit: number | undefined;
}

/** The adapter has committed to an upstream: the bytes that follow are that provider's own. */
export interface AnswerHead {
  status: number;
  /** Lower-case names, only those on the allow-list. */
  headers: Readonly<Record<string, string>>;
  /** Dialect of the bytes that follow. */
  dialect: Dialect;
  upstreamId: string;
  upstreamRequestId: string | undefined;
  /** Upstreams tried, this one included. */
  attempts: number;
}

/** In order: `onHead` at most once, `onData` any number of times, then exactly one of `onEnd` and `onFailure`. */
export interface AnswerHandler {
  onHead(head: AnswerHead): void;
  onData(bytes: Buffer): void;
  onEnd(): void;
  onFailure(failure: AdapterFailure): void;
}

export interface AdapterFailure {
  code: Extract<ErrorCode, 'upstream_failed' | 'upstream_timeout' | 'no_upstream' | 'not_ready' | 'internal_error'> | 'aborted';
  /** False when certainly no byte of the request reached a provider. */
  sent: boolean;
  upstreamId: string | undefined;
  /** For the log. */
  cause: unknown;
}

export interface RunningDispatch {
  pause(): void;
  resume(): void;
  /** Cancels the request at the provider; ends in `onFailure({ code: 'aborted' })` unless it has ended. */
  abort(): void;
}

/**
 * Turns a request of a group into an answer of one of its upstreams. Drivers: a provider in the same process, HTTP to
 * an adapter service. The request's bytes are never changed beyond the credential, a mapped model name, the usage
 * option of a stream and an output limit.
 *
 * A `body` of 64 KiB or more is not referenced any more once `onHead` or `onFailure` has been called: nothing is sent
 * again after that, and an answer may take minutes. Whoever counts the memory of running requests may count it as free
 * from then on. The caller must not change the bytes before.
 */
export interface Adapter {
  dispatch(head: DispatchHead, body: Buffer, handler: AnswerHandler): RunningDispatch;
}
