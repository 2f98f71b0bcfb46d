// The clients: sends one slice of load for each order of its parent, and answers with what came back.
import { LoadRun } from './load-run.js';
import type { LoadOrder } from './load-run.js';

process.on('message', (order: LoadOrder) => {
  new LoadRun(order).run().then(
    (result) => process.send?.(result),
    (error: unknown) => process.send?.({ requests: 0, elapsedMs: 0, latencyMs: { p50: 0, p99: 0 }, chunkDelayMs: undefined, faults: [String(error)] }),
  );
});
process.on('disconnect', () => process.exit(0));
process.send?.({ port: 0 });
