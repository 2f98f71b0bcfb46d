import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http';
import { BrokenConnections } from '@tokone/http';
import type { Uuid7Source } from '@tokone/protocol';
import { GatewayError, findEndpoint, hasKeyInQuery } from '@tokone/protocol';
import type { GatewayMetrics } from '@tokone/telemetry';
import { writeRefusal } from './client-answer.js';
import { MAX_HEADER_BYTES, connectionRefusal } from './connection-refusal.js';
import { dialectOfCaller } from './dialect-of-caller.js';
import type { InferenceIntake } from './inference-intake.js';
import { measureRequest } from './request-measure.js';
import { routeOf, routeOfPath } from './request-route.js';

export type RequestListener = (request: IncomingMessage, response: ServerResponse) => void;

/** What waits for a slow client beside the last read, before the upstream is paused: it bounds the memory of a stalled one. */
const WRITE_AHEAD_BYTES = 16_384;

const REQUEST_MS = 300_000;

const SERVER_OPTIONS: ServerOptions = {
  noDelay: true,
  keepAlive: true,
  keepAliveTimeout: 65_000,
  headersTimeout: 10_000,
  requestTimeout: REQUEST_MS,
  connectionsCheckingInterval: 5_000,
  maxHeaderSize: MAX_HEADER_BYTES,
  highWaterMark: WRITE_AHEAD_BYTES,
  // Node would answer a missing Host by itself, with no body and no request id.
  requireHostHeader: false,
};

export interface FrontParts {
  ids: Uuid7Source;
  metrics: GatewayMetrics;
  /** Milliseconds, monotonic. */
  now: () => number;
  /** False: every answer is the last one of its connection. */
  keepsConnections: () => boolean;
}

/**
 * The public listener. Inference goes straight to the intake, past the framework; all else falls through to it.
 * A key in the query is refused here, on every path.
 */
export function createFront(intake: InferenceIntake, { ids, keepsConnections, ...measuring }: FrontParts, fallThrough: RequestListener): Server {
  const broken = new BrokenConnections(REQUEST_MS, connectionRefusal(ids, (status, code) => measuring.metrics.ended('none', { status, cause: code }, 0)));
  const take: RequestListener = (request, response) => {
    if (!broken.isOpen(response)) return void request.resume();
    if (!keepsConnections()) response.shouldKeepAlive = false;
    const url = originForm(request);
    const mark = url.indexOf('?');
    const path = mark < 0 ? url : url.slice(0, mark);
    const query = mark < 0 ? '' : url.slice(mark + 1);
    const endpoint = request.method === 'POST' ? findEndpoint(path, query) : undefined;
    measureRequest(response, endpoint ? routeOf(endpoint) : routeOfPath(path), measuring);
    if (request.headers.host === undefined && request.httpVersion === '1.1') return refuse(response, new GatewayError('malformed_request', 'An HTTP/1.1 request needs a Host header.'), ids);
    if (hasKeyInQuery(query)) return refuse(response, new GatewayError('key_in_query', 'An API key in the URL is not supported: URLs end up in logs. Send it in a header, and replace this key.'), ids);
    if (endpoint) return void intake.take(request, response, endpoint);
    if (!isDecodable(path)) return refuse(response, new GatewayError('malformed_request', 'The path holds a % that is not followed by the two digits of a byte of UTF-8 text.'), ids);
    response.setHeader('x-request-id', ids.next());
    fallThrough(request, response);
  };
  const server = createServer(SERVER_OPTIONS, take);
  // Expectations other than 100-continue may be ignored; Node's own 417 has no body and no request id.
  server.on('checkExpectation', take);
  broken.watch(server);
  return server;
}

/** RFC 9112, 3.2.2: the whole URL may stand in the request line. */
function originForm(request: IncomingMessage): string {
  const url = request.url ?? '/';
  if (url.startsWith('/') || !URL.canParse(url)) return url;
  const { pathname, search } = new URL(url);
  return (request.url = pathname + search);
}

function isDecodable(path: string): boolean {
  try {
    return !path.includes('%') || decodeURIComponent(path) !== '';
  } catch {
    return false;
  }
}

function refuse(response: ServerResponse, error: GatewayError, ids: Uuid7Source): void {
  const { url, headers } = response.req;
  writeRefusal(response, { dialect: dialectOfCaller(url ?? '/', headers), error, requestId: ids.next() });
}
