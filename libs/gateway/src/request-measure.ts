import type { ServerResponse } from 'node:http';
import type { GatewayMetrics, RequestCause, RequestRoute } from '@tokone/telemetry';

/** Why an answer is not what was asked for, for the metrics; whoever writes the refusal knows, whoever counts does not. */
const causes = new WeakMap<ServerResponse, RequestCause>();

/** The first cause counts: what follows it is its consequence. */
export function noteCause(response: ServerResponse, cause: RequestCause): void {
  if (!causes.has(response)) causes.set(response, cause);
}

/** Counts a request once its answer has been closed, whole or not. `now` in milliseconds, monotonic. */
export function measureRequest(response: ServerResponse, route: RequestRoute, { metrics, now }: { metrics: GatewayMetrics; now: () => number }): void {
  const startedAtMs = now();
  response.on('close', () => {
    const cause = causes.get(response) ?? (response.writableFinished ? 'none' : 'client_left');
    metrics.ended(route, { status: response.headersSent ? response.statusCode : 0, cause }, now() - startedAtMs);
  });
}
