import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Loopback, Recorder } from './fixtures/loopback.js';
import type { UpstreamExchange } from './upstream-client.js';

const MIB = 1_048_576;
let bench: Loopback;
beforeEach(() => {
  bench = new Loopback();
});
afterEach(() => bench.close());

describe('back-pressure', () => {
  /** Writes without end; counts what the kernel took. */
  async function endless(): Promise<{ origin: string; taken: () => number }> {
    let taken = 0;
    const chunk = Buffer.alloc(16_384, 'x');
    const origin = await bench.http((_request, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(chunk, () => (taken += chunk.length))) continue;
      };
      response.on('drain', more);
      more();
    });
    return { origin, taken: () => taken };
  }

  it('stops the reading, and lets it go on', async () => {
    const { origin } = await endless();
    bench.recorder.keep = false;
    const exchange = bench.send(origin);
    await bench.until(() => bench.recorder.received > MIB);
    exchange.pause();
    const atPause = bench.recorder.received;
    await quiet(() => bench.recorder.received);
    expect(bench.recorder.received - atPause).toBeLessThanOrEqual(262_144);
    exchange.resume();
    await bench.until(() => bench.recorder.received > atPause + 4 * MIB);
    exchange.abort();
    await bench.ended();
  });

  it('in the middle of a read bounds what still arrives', async () => {
    const { origin } = await endless();
    bench.recorder.keep = false;
    let exchange: UpstreamExchange | undefined = undefined as UpstreamExchange | undefined;
    bench.recorder.onBytes = () => exchange?.pause();
    exchange = bench.send(origin);
    await bench.until(() => bench.recorder.received > 0);
    await quiet(() => bench.recorder.received);
    expect(bench.recorder.received).toBeLessThanOrEqual(262_144);
    exchange.abort();
    await bench.ended();
  });

  it('that was asked for before the answer began holds it back', async () => {
    const origin = await bench.http((_request, response) => response.end('late'));
    const exchange = bench.send(origin);
    exchange.pause();
    const askedAtMs = performance.now();
    await bench.until(() => performance.now() - askedAtMs > 200);
    expect(bench.recorder.calls).not.toContain('data');
    exchange.resume();
    await bench.ended();
    expect(bench.recorder.bytes.toString()).toBe('late');
  });

  /** Until a number has not moved for 300 ms. */
  async function quiet(value: () => number): Promise<void> {
    let last = value();
    let sinceMs = performance.now();
    await bench.until(() => {
      if (value() !== last) {
        last = value();
        sinceMs = performance.now();
      }
      return performance.now() - sinceMs > 300;
    }, 'quiet');
  }
});

describe('abort', () => {
  it('closes the connection in the middle of an answer', async () => {
    let closed = false;
    const origin = await bench.http((_request, response) => {
      response.write('one');
      response.on('close', () => (closed = true));
    });
    const exchange = bench.send(origin);
    await bench.until(() => bench.recorder.received > 0);
    exchange.abort();
    exchange.abort();
    await bench.ended();
    expect(bench.recorder.calls).toEqual(['head', 'data', 'error']);
    expect(bench.recorder.failure).toEqual({ failure: 'aborted', sent: true });
    await bench.until(() => closed, 'the closed connection');
  });

  it('cancels a request that waits for its head', async () => {
    let arrived = false;
    let closed = false;
    const origin = await bench.http((_request, response) => {
      arrived = true;
      response.on('close', () => (closed = true));
    });
    const exchange = bench.send(origin);
    await bench.until(() => arrived, 'the request');
    exchange.abort();
    await bench.ended();
    expect(bench.recorder.failure).toEqual({ failure: 'aborted', sent: true });
    await bench.until(() => closed, 'the closed connection');
  });

  it('in the turn of the sending reaches no provider', async () => {
    let requests = 0;
    const origin = await bench.http((_request, response) => {
      requests++;
      response.end();
    });
    bench.send(origin).abort();
    await bench.ended();
    expect(bench.recorder.calls).toEqual(['error']);
    expect(bench.recorder.failure?.failure).toBe('aborted');
    expect(requests).toBe(0);
  });

  it('out of a call of the handler ends the calls', async () => {
    const origin = await bench.http((_request, response) => {
      for (let event = 0; event < 100; event++) response.write(`data: ${event}\n\n`);
    });
    let exchange: UpstreamExchange | undefined = undefined as UpstreamExchange | undefined;
    bench.recorder.onBytes = () => exchange?.abort();
    exchange = bench.send(origin);
    await bench.ended();
    expect(bench.recorder.failure?.failure).toBe('aborted');
    expect(bench.recorder.afterEnd).toBe(0);
  });

  it('after the end does nothing', async () => {
    const origin = await bench.http((_request, response) => response.end('ok'));
    const exchange = bench.send(origin);
    await bench.ended();
    exchange.abort();
    exchange.pause();
    exchange.resume();
    expect(bench.recorder.calls).toEqual(['head', 'data', 'end']);
  });
});

describe('connections', () => {
  it('serve one request after the other', async () => {
    let connections = 0;
    const origin = await bench.http((_request, response) => response.end('ok'));
    bench.servers[0]?.on('connection', () => connections++);
    for (let request = 0; request < 5; request++) {
      bench.recorder = new Recorder();
      bench.send(origin);
      await bench.ended();
      expect(bench.recorder.calls).toEqual(['head', 'data', 'end']);
    }
    expect(connections).toBe(1);
  });

  it('that the server closes while they idle cost no request', async () => {
    const origin = await bench.http((_request, response) => response.end('ok'));
    for (let request = 0; request < 5; request++) {
      bench.recorder = new Recorder();
      bench.send(origin);
      await bench.ended();
      expect(bench.recorder.calls).toEqual(['head', 'data', 'end']);
      for (const socket of bench.sockets) socket.end();
      await bench.until(() => bench.sockets.size === 0, 'the closed connections');
    }
  });

  it('run side by side up to their number, the rest in turn', async () => {
    let open = 0;
    let most = 0;
    const origin = await bench.http((_request, response) => {
      most = Math.max(most, ++open);
      setImmediate(() => {
        open--;
        response.end('ok');
      });
    });
    const recorders = Array.from({ length: 40 }, () => {
      bench.recorder = new Recorder();
      bench.send(origin);
      return bench.recorder;
    });
    await bench.until(() => recorders.every(({ done }) => done));
    expect(recorders.every(({ calls }) => calls.join(' ') === 'head data end')).toBe(true);
    expect(most).toBeLessThanOrEqual(8);
  });

  it('are destroyed when the bench.client is closed, which fails what runs', async () => {
    const origin = await bench.http((_request, response) => {
      response.write('one');
    });
    bench.send(origin);
    await bench.until(() => bench.recorder.received > 0);
    await bench.client.close();
    await bench.ended();
    expect(bench.recorder.calls).toEqual(['head', 'data', 'error']);
    await bench.until(() => bench.sockets.size === 0, 'the closed connections');
  });
});
