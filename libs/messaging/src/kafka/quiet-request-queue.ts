import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';

/**
 * kafkajs 2.2.4 looks after the waiting requests of a connection again and again, and computes the time until then from
 * the end of a throttle that never was: about minus the time since 1970, which Node takes for a millisecond. Every
 * connection then wakes its process a thousand times a second for an empty queue, 3 % of a processor in an idle service.
 * Here the next look is planned only when a request waits or the broker throttles; each answer looks anyway. `now`: milliseconds since 1970.
 */
export function quietRequestQueues(now: () => number): void {
  RequestQueue.prototype.scheduleCheckPendingRequests = function schedule(this: RequestQueue): void {
    if (this.pending.length > 0 || this.throttledUntil > now()) planned.call(this);
  };
}

const planned = RequestQueue.prototype.scheduleCheckPendingRequests;
