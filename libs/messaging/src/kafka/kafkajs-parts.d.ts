/** A part of kafkajs that has a fault of its own, see quiet-request-queue.ts. */
declare module 'kafkajs/src/network/requestQueue/index.js' {
  export default class RequestQueue {
    pending: readonly unknown[];
    /** Milliseconds since 1970; before now: not throttled. */
    throttledUntil: number;
    throttleCheckTimeoutId: NodeJS.Timeout | null;
    constructor(options: Record<string, unknown>);
    checkPendingRequests(): void;
    scheduleCheckPendingRequests(): void;
    push(request: unknown): void;
    destroy(): void;
  }
}
