import { afterEach, describe, expect, it } from '@jest/globals';
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';
import { quietRequestQueues } from './quiet-request-queue.js';

const logger = { debug: () => undefined, warn: () => undefined };
let queue: RequestQueue | undefined;
afterEach(() => queue?.destroy());

function open(): RequestQueue {
  return (queue = new RequestQueue({ maxInFlightRequests: 1, requestTimeout: 1_000, enforceRequestTimeout: false, clientId: 'spec', broker: 'spec', logger }));
}

/** As kafkajs hands them to the queue. */
function request(correlationId: number, sent: number[]): unknown {
  return { correlationId, expectResponse: true, entry: { correlationId }, sendRequest: () => sent.push(correlationId), completed: () => undefined };
}

describe('the queue of a connection to Kafka', () => {
  it('plans nothing while no request waits', () => {
    quietRequestQueues(Date.now);
    open().checkPendingRequests();
    expect(queue?.throttleCheckTimeoutId).toBeNull();
  });

  it('plans a look while the broker throttles, and while a request waits for another', () => {
    quietRequestQueues(Date.now);
    open().throttledUntil = Date.now() + 60_000;
    queue?.checkPendingRequests();
    expect(queue?.throttleCheckTimeoutId).not.toBeNull();
    queue?.destroy();
    const sent: number[] = [];
    const busy = open() as RequestQueue & { inflight: Map<number, unknown>; fulfillRequest(answer: object): void };
    busy.inflight.set(1, request(1, sent));
    busy.push(request(2, sent));
    expect([sent, busy.throttleCheckTimeoutId === null]).toEqual([[], false]);
    busy.fulfillRequest({ correlationId: 1, payload: Buffer.alloc(0), size: 0 });
    expect(sent).toEqual([2]);
  });

  it('is what kafkajs would otherwise wake up for', () => {
    // Else this cure is no longer needed.
    const { throttledUntil } = open();
    expect(throttledUntil - Date.now()).toBeLessThan(0);
  });
});
