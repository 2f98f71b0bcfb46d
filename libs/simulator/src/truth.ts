import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { TokenClasses } from './answer.js';
import type { DialectName, JsonObject } from './dialect.js';

/**
 * `complete`: every byte was handed to the socket. `client_left`: the client closed first. `cut`: a fault broke or ended
 * the answer early. `error`: the provider's error was the answer or ended it. `stalled`: a fault stopped writing.
 */
export type Outcome = 'running' | 'complete' | 'client_left' | 'cut' | 'error' | 'stalled';

/** One accepted request while it runs. Times are milliseconds since the epoch. */
export interface TruthEntry {
  readonly id: string;
  readonly sequence: number;
  readonly tag: string | undefined;
  readonly dialect: DialectName;
  readonly credential: string;
  readonly model: string;
  readonly streamed: boolean;
  readonly providerRequestId: string;
  readonly startedAtMs: number;
  readonly requestHeaderNames: readonly string[];
  readonly userAgent: string | null;
  readonly bodySha256: string;
  readonly bodyBytes: number;
  readonly tokens: TokenClasses;
  reported: JsonObject | null;
  outcome: Outcome;
  status: number | null;
  endedAtMs: number | null;
  clientLeftAtMs: number | null;
  bytesWritten: number;
  contentEvents: number;
}

/** One line of GET /truth. Times are ISO 8601; `credential` is its last four characters. */
export interface TruthRecord {
  readonly id: string;
  readonly tag: string | null;
  readonly dialect: DialectName;
  readonly credential: string;
  readonly model: string;
  readonly streamed: boolean;
  /** Disjoint classes. `output` is the tokens of the text handed to the socket, tool calls included. All 0 when the answer was an error. */
  readonly tokens: Readonly<TokenClasses>;
  /** The usage that went out, in the provider's words; later objects of one stream overrule earlier ones. */
  readonly reported: JsonObject | null;
  readonly outcome: Outcome;
  readonly status: number | null;
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly clientLeftAt: string | null;
  readonly providerRequestId: string;
  readonly bytesWritten: number;
  /** Stream events with generated text. */
  readonly contentEvents: number;
  readonly requestHeaders: { readonly names: readonly string[]; readonly userAgent: string | null };
  readonly bodySha256: string;
  readonly bodyBytes: number;
}

export interface Acceptance {
  readonly request: IncomingMessage;
  readonly body: Buffer;
  readonly dialect: DialectName;
  readonly credential: string;
  readonly model: string;
  readonly streamed: boolean;
  readonly tag: string | undefined;
  readonly providerRequestId: string;
  readonly startedAtMs: number;
}

const taggedBodiesKept = 100;
const taggedBytesKept = 64 * 1024 * 1024;

/** What really happened, of the newest `capacity` requests; older ones are forgotten. */
export class Truth {
  /** What runs, and lines of what is over: one flat string each is a third of the memory of its objects. */
  private readonly entries: (TruthEntry | string)[] = [];
  private readonly bodies = new Map<string, Buffer>();
  private bodyBytes = 0;
  private accepted = 0;

  /** `run` sets apart the ids of two simulators, so that `since` of an older one gives everything. */
  constructor(
    private readonly capacity: number,
    private readonly run: string,
  ) {}

  open(acceptance: Acceptance): TruthEntry {
    const { request, body, tag, ...known } = acceptance;
    const entry: TruthEntry = {
      dialect: known.dialect,
      model: known.model,
      streamed: known.streamed,
      providerRequestId: known.providerRequestId,
      startedAtMs: known.startedAtMs,
      id: `${this.run}-${this.accepted}`,
      sequence: this.accepted,
      tag,
      credential: known.credential.slice(-4),
      requestHeaderNames: Object.keys(request.headers),
      userAgent: request.headers['user-agent'] ?? null,
      bodySha256: hash('sha256', body),
      bodyBytes: body.length,
      tokens: { input: 0, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0, output: 0, reasoning: 0 },
      reported: null,
      outcome: 'running',
      status: null,
      endedAtMs: null,
      clientLeftAtMs: null,
      bytesWritten: 0,
      contentEvents: 0,
    };
    this.entries[this.accepted % this.capacity] = entry;
    this.accepted += 1;
    if (tag !== undefined) this.keepBody(tag, body);
    return entry;
  }

  /** The request is over; its entry must not change any more. */
  close(entry: TruthEntry): void {
    const slot = entry.sequence % this.capacity;
    if (this.entries[slot] === entry) this.entries[slot] = JSON.stringify(recordOf(entry));
  }

  /** Lines of JSON, oldest first; with `since` only what came after that id. */
  *lines(since?: string): Generator<string> {
    const separator = since?.lastIndexOf('-') ?? -1;
    const known = since !== undefined && since.slice(0, separator) === this.run;
    const from = known ? Number(since.slice(separator + 1)) + 1 : 0;
    for (let sequence = Math.max(from, this.accepted - this.capacity); sequence < this.accepted; sequence += 1) {
      const entry = this.entries[sequence % this.capacity];
      if (entry !== undefined) yield typeof entry === 'string' ? entry : JSON.stringify(recordOf(entry));
    }
  }

  lastBody(tag: string): Buffer | undefined {
    return this.bodies.get(tag);
  }

  private keepBody(tag: string, body: Buffer): void {
    this.dropBody(tag);
    this.bodies.set(tag, body);
    this.bodyBytes += body.length;
    for (const oldest of this.bodies.keys()) {
      if (this.bodies.size <= taggedBodiesKept && this.bodyBytes <= taggedBytesKept) return;
      this.dropBody(oldest);
    }
  }

  private dropBody(tag: string): void {
    this.bodyBytes -= this.bodies.get(tag)?.length ?? 0;
    this.bodies.delete(tag);
  }
}

function recordOf(entry: TruthEntry): TruthRecord {
  return {
    id: entry.id,
    tag: entry.tag ?? null,
    dialect: entry.dialect,
    credential: entry.credential,
    model: entry.model,
    streamed: entry.streamed,
    tokens: { ...entry.tokens },
    reported: entry.reported,
    outcome: entry.outcome,
    status: entry.status,
    startedAt: new Date(entry.startedAtMs).toISOString(),
    endedAt: isoOrNull(entry.endedAtMs),
    clientLeftAt: isoOrNull(entry.clientLeftAtMs),
    providerRequestId: entry.providerRequestId,
    bytesWritten: entry.bytesWritten,
    contentEvents: entry.contentEvents,
    requestHeaders: { names: entry.requestHeaderNames, userAgent: entry.userAgent },
    bodySha256: entry.bodySha256,
    bodyBytes: entry.bodyBytes,
  };
}

function isoOrNull(timeMs: number | null): string | null {
  return timeMs === null ? null : new Date(timeMs).toISOString();
}
