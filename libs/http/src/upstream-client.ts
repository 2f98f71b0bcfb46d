/** One request to a provider. `headers` is a flat list name, value, name, value …; content-length is the client's. */
export interface UpstreamRequest {
  /** Scheme, host and port: `https://api.openai.com`. */
  origin: string;
  /** Path and query. */
  path: string;
  headers: readonly string[];
  /** The body in slices; they are not copied together unless they are small. */
  body: readonly Buffer[];
  bodyBytes: number;
  /** Until the response head, and between two reads of the body. */
  headTimeoutMs: number;
  idleTimeoutMs: number;
  /** An informational head is a sign of life: the head may then take that long again. Only for servers of our own. */
  interimHeadsCount?: boolean;
}

export type UpstreamFailure = 'connect' | 'timeout' | 'broken' | 'aborted';

/**
 * What happens to a request, in order: `onHead` at most once, `onData` any number of times, then exactly one of
 * `onEnd` and `onError`. Nothing is called after that.
 */
export interface UpstreamHandler {
  onHead(status: number, headers: Record<string, string | string[] | undefined>): void;
  onData(bytes: Buffer): void;
  /** `trailers`: what the answer said behind its last byte, in small letters; empty where it said nothing. */
  onEnd(trailers?: Record<string, string | string[] | undefined>): void;
  /** `sent`: whether request bytes may have reached the provider. */
  onError(failure: UpstreamFailure, sent: boolean, cause: unknown): void;
}

export interface UpstreamExchange {
  /** Stops reading the response; at most one read already under way still arrives. */
  pause(): void;
  resume(): void;
  /** Closes the connection, which cancels the request at the provider. Ends in `onError('aborted')` unless already ended. */
  abort(): void;
}

/** Sends requests to providers. Drivers: undici. Never follows redirects. */
export interface UpstreamClient {
  send(request: UpstreamRequest, handler: UpstreamHandler): UpstreamExchange;
  /** Destroys all connections. */
  close(): Promise<void>;
}
