import { AddressRing } from '@tokone/http';
import type { UpstreamClient } from '@tokone/http';
import type { Adapter, AnswerHandler, DispatchHead, RunningDispatch } from './adapter.js';
import { HttpDispatch } from './http-dispatch.js';

export interface HttpAdapterOptions {
  /** Addresses of the replicas of one adapter service: `http://10.0.0.1:8091`. A path in them is not used. At least one. */
  baseUrls: readonly string[];
  /** What the services of a deployment share. */
  secret: string;
  /** Its connections per address bound the concurrent streams: as many as are wanted. */
  client: UpstreamClient;
  /** Milliseconds, monotonic. */
  now: () => number;
  /** How long an adapter that has begun no answer may show no sign of life: some times `SIGN_OF_LIFE_MS`. Default 20 s. */
  silenceTimeoutMs?: number;
  /** Between two reads of an answer; a little more than the adapter's own. */
  idleTimeoutMs: number;
}

/**
 * `Adapter` over HTTP to a service that holds the adapter proper (`AdapterFront`): one request for a dispatch, bytes
 * both ways with back-pressure; closing its connection cancels the request at the provider. A replica that cannot be
 * reached, or says that it took nothing, is left for the next one, each tried once; beyond that nothing is sent again.
 */
export class HttpAdapter implements Adapter {
  private readonly ring: AddressRing;

  constructor(private readonly options: HttpAdapterOptions) {
    if (options.baseUrls.length === 0) throw new Error('an adapter over HTTP needs an address');
    this.ring = new AddressRing(options.baseUrls.map((baseUrl) => new URL(baseUrl).origin), options.now);
  }

  dispatch(head: DispatchHead, body: Buffer, handler: AnswerHandler): RunningDispatch {
    const running = new HttpDispatch({ head, handler, ring: this.ring, ...this.options }, body);
    running.begin();
    return running;
  }
}
