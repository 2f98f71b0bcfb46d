import type { LimitScope, ScopedLimits } from '@tokone/account-client';
import { MinuteWindow } from './minute-window.js';

export const LIMIT_KINDS = ['requests', 'tokens', 'concurrency'] as const;
export type LimitKind = (typeof LIMIT_KINDS)[number];

/** Which limit is in the way, and for how long. */
export interface LimitRefusal {
  scope: LimitScope;
  kind: LimitKind;
  limit: number;
  /** Until this request fits, if nobody is faster. For `concurrency`, whose end nobody knows, when to look again. */
  retryAfterMs: number;
}

/** A request as limits see it. */
export interface LimitedRequest {
  requestId: string;
  limits: readonly ScopedLimits[];
  /** What it may use. */
  tokens: number;
}

/** When a slot will be free is known to nobody. */
export const SLOT_RETRY_MS = 1_000;

interface CountedScope {
  requests: MinuteWindow;
  tokens: MinuteWindow;
  running: Set<string>;
  countedAtMs: number;
}

interface CountedRequest {
  scopes: readonly CountedScope[];
  second: number;
  tokens: number;
}

/** So many scopes are kept before the idle ones are looked for. */
const FEW_SCOPES = 64;
const IDLE_MS = 62_000;

/** What the limits of one account have counted, its users, keys and groups included. Redis says the same in Lua, see `redis/limit-scripts`. */
export class AccountLimits {
  private readonly scopes = new Map<string, CountedScope>();
  private readonly requests = new Map<string, CountedRequest>();
  private sweepAt = FEW_SCOPES;

  /** Scopes that are kept. */
  get size(): number {
    return this.scopes.size;
  }

  /**
   * Counts a request in all of its scopes, or says which limit is in the way and counts it in none. Of several, the
   * one that is so for longest: who waits that long has waited for all.
   */
  count({ requestId, limits, tokens }: LimitedRequest, nowMs: number): LimitRefusal | undefined {
    const scopes = limits.map((limited) => this.scopeOf(limited, nowMs));
    let refusal: LimitRefusal | undefined;
    limits.forEach((limited, index) => {
      for (const found of refusalsOf(limited, scopes[index] as CountedScope, { tokens, nowMs })) {
        if (refusal === undefined || found.retryAfterMs > refusal.retryAfterMs) refusal = found;
      }
    });
    if (refusal) return refusal;
    let second = 0;
    limits.forEach((limited, index) => {
      const scope = scopes[index] as CountedScope;
      scope.countedAtMs = nowMs;
      if (limited.concurrentRequests !== undefined) scope.running.add(requestId);
      if (limited.requestsPerMinute === undefined && limited.tokensPerMinute === undefined) return;
      second = Math.max(second, scope.requests.moveTo(nowMs));
      scope.requests.add(1);
      scope.tokens.add(tokens);
    });
    this.requests.set(requestId, { scopes, second, tokens });
    return undefined;
  }

  /** It is over, and has used so many tokens. Undefined: that is not known, and what it might use stays counted. */
  end(requestId: string, usedTokens: number | undefined, nowMs: number): void {
    const request = this.requests.get(requestId);
    if (!request) return;
    this.requests.delete(requestId);
    for (const { tokens, running } of request.scopes) {
      running.delete(requestId);
      tokens.moveTo(nowMs);
      // Without a second it was counted in no window.
      if (usedTokens !== undefined && request.second > 0) tokens.correct(request.second, usedTokens - request.tokens);
    }
  }

  private scopeOf({ scope, id }: ScopedLimits, nowMs: number): CountedScope {
    const name = `${scope}:${id}`;
    let found = this.scopes.get(name);
    if (found === undefined) {
      this.forgetIdle(nowMs);
      this.scopes.set(name, (found = { requests: new MinuteWindow(), tokens: new MinuteWindow(), running: new Set(), countedAtMs: nowMs }));
    }
    found.requests.moveTo(nowMs);
    found.tokens.moveTo(nowMs);
    return found;
  }

  /** Keys come and go: looked at whenever there are twice as many scopes as were in use. */
  private forgetIdle(nowMs: number): void {
    if (this.scopes.size < this.sweepAt) return;
    for (const [name, { running, countedAtMs }] of this.scopes) if (running.size === 0 && nowMs - countedAtMs > IDLE_MS) this.scopes.delete(name);
    this.sweepAt = Math.max(FEW_SCOPES, this.scopes.size * 2);
  }
}

function* refusalsOf(limited: ScopedLimits, counted: CountedScope, { tokens, nowMs }: { tokens: number; nowMs: number }): Generator<LimitRefusal> {
  const { scope, requestsPerMinute: requests, tokensPerMinute: most, concurrentRequests: slots } = limited;
  if (requests !== undefined) {
    const excess = counted.requests.total + 1 - requests;
    if (excess > 0) yield { scope, kind: 'requests', limit: requests, retryAfterMs: counted.requests.waitMs(excess, nowMs) };
  }
  if (most !== undefined) {
    const excess = counted.tokens.total + tokens - most;
    if (excess > 0) yield { scope, kind: 'tokens', limit: most, retryAfterMs: counted.tokens.waitMs(excess, nowMs) };
  }
  if (slots !== undefined && counted.running.size >= slots) yield { scope, kind: 'concurrency', limit: slots, retryAfterMs: SLOT_RETRY_MS };
}
