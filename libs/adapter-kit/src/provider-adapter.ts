import type { Upstream, UpstreamDirectory } from '@tokone/account-client';
import type { UpstreamClient } from '@tokone/http';
import type { Adapter, AnswerHandler, DispatchHead, RunningDispatch } from './adapter.js';
import type { Provider } from './provider.js';
import { ProviderDispatch } from './provider-dispatch.js';

export interface ProviderAdapterOptions {
  provider: Provider;
  upstreams: UpstreamDirectory;
  client: UpstreamClient;
  /** Milliseconds, monotonic. */
  now: () => number;
  /** Until the head of an answer that is not streamed, and of one that is. */
  answerTimeoutMs: number;
  streamTimeoutMs: number;
  /** Between two reads of an answer. */
  idleTimeoutMs: number;
}

/** Upstreams of a group are asked for again after this long. */
const UPSTREAMS_FRESH_MS = 5_000;

/** `Adapter` over one provider's HTTP API in this process. */
export class ProviderAdapter implements Adapter {
  private readonly groups = new Map<string, { readAtMs: number; upstreams: readonly Upstream[] }>();

  constructor(private readonly options: ProviderAdapterOptions) {}

  dispatch(head: DispatchHead, body: Buffer, handler: AnswerHandler): RunningDispatch {
    const running = new ProviderDispatch({ head, body, handler, ...this.options });
    const known = this.groups.get(head.groupId);
    if (known && this.options.now() - known.readAtMs < UPSTREAMS_FRESH_MS) running.begin(known.upstreams);
    else void this.readThenBegin(head.groupId, running);
    return running;
  }

  private async readThenBegin(groupId: string, running: ProviderDispatch): Promise<void> {
    let upstreams: readonly Upstream[];
    try {
      upstreams = await this.options.upstreams.upstreamsOf(groupId);
      this.groups.set(groupId, { readAtMs: this.options.now(), upstreams });
    } catch (cause) {
      const stale = this.groups.get(groupId);
      if (!stale) return running.failUnsent(cause);
      upstreams = stale.upstreams;
    }
    running.begin(upstreams);
  }
}
