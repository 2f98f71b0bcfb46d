import type { Upstream, UpstreamDirectory } from '@tokone/account-client';
import type { UpstreamClient } from '@tokone/http';
import type { Tracing, UpstreamMetrics } from '@tokone/telemetry';
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
  /** Default: nobody hears of it. */
  metrics?: UpstreamMetrics;
  /** Default: nothing is recorded. */
  tracing?: Tracing;
}

/** Upstreams of a group are asked for again after this long. */
const UPSTREAMS_FRESH_MS = 5_000;
/** A directory that is silent for so long has failed; requests wait for it. */
const DIRECTORY_TIMEOUT_MS = 2_000;

/** `Adapter` over one provider's HTTP API in this process. */
export class ProviderAdapter implements Adapter {
  private readonly groups = new Map<string, { readAtMs: number; upstreams: readonly Upstream[] }>();
  /** Questions under way, at most one for a group. */
  private readonly questions = new Map<string, Promise<readonly Upstream[]>>();

  constructor(private readonly options: ProviderAdapterOptions) {}

  dispatch(head: DispatchHead, body: Buffer, handler: AnswerHandler): RunningDispatch {
    const running = new ProviderDispatch({ head, handler, ...this.options }, body);
    const known = this.groups.get(head.groupId);
    if (known && this.options.now() - known.readAtMs < UPSTREAMS_FRESH_MS) running.begin(known.upstreams);
    else void this.readThenBegin(head.groupId, running);
    return running;
  }

  /** The upstreams of this group, or of all, have changed: the next request asks for them. Until an answer they stay the last resort. */
  invalidate(groupId?: string): void {
    for (const [known, group] of this.groups) if (groupId === undefined || known === groupId) group.readAtMs = Number.NEGATIVE_INFINITY;
    // Who asked before the change may get the answer from before it; nobody else does.
    if (groupId === undefined) this.questions.clear();
    else this.questions.delete(groupId);
  }

  private async readThenBegin(groupId: string, running: ProviderDispatch): Promise<void> {
    let upstreams: readonly Upstream[];
    try {
      upstreams = await this.ask(groupId);
    } catch (cause) {
      const stale = this.groups.get(groupId);
      if (!stale) return running.failUnsent(cause);
      upstreams = stale.upstreams;
    }
    running.begin(upstreams);
  }

  /** However many requests wait for a group, the directory hears one question. */
  private ask(groupId: string): Promise<readonly Upstream[]> {
    const asked = this.questions.get(groupId);
    if (asked) return asked;
    const isLatest = (): boolean => this.questions.get(groupId) === question;
    const question: Promise<readonly Upstream[]> = inTime(this.options.upstreams.upstreamsOf(groupId))
      .then((upstreams) => {
        if (isLatest()) this.groups.set(groupId, { readAtMs: this.options.now(), upstreams });
        return upstreams;
      })
      .finally(() => {
        if (isLatest()) this.questions.delete(groupId);
      });
    this.questions.set(groupId, question);
    return question;
  }
}

/** An answer that comes later is dropped: a newer question may have been answered before it. */
function inTime(answer: Promise<readonly Upstream[]>): Promise<readonly Upstream[]> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the directory of upstreams did not answer within ${DIRECTORY_TIMEOUT_MS} ms`)), DIRECTORY_TIMEOUT_MS);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
