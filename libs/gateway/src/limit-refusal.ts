import type { LimitScope, ScopedLimits } from '@tokone/account-client';
import type { LimitRefusal } from '@tokone/admission';
import { GatewayError } from '@tokone/protocol';

const OWNER: Readonly<Record<LimitScope, string>> = { account: 'this account', user: 'the user of this key', key: 'this key', group: 'this account in the group of this key' };

/** A limit is reached: which one, whose, how much, and when to come back. */
export function limitReached({ scope, kind, limit, retryAfterMs }: LimitRefusal, tokens: number): GatewayError {
  const retryAfterSeconds = Math.max(1, Math.ceil(retryAfterMs / 1000));
  const wait = `Send the request again in ${retryAfterSeconds} s`;
  const sentences: Readonly<Record<LimitRefusal['kind'], string>> = {
    requests: `The limit of ${OWNER[scope]} is ${count(limit, 'request')} per minute, and it is reached. ${wait}.`,
    tokens: `The limit of ${OWNER[scope]} is ${count(limit, 'token')} per minute, and too few are left for this request, which may use ${tokens}. ${wait}, or ask for less output.`,
    concurrency: `The limit of ${OWNER[scope]} is ${count(limit, 'request')} at a time, and as many are running. ${wait}, or when one of them has ended.`,
  };
  return new GatewayError('rate_limit_exceeded', sentences[kind], { retryAfterSeconds });
}

/**
 * What may use more tokens than a whole minute has will never be admitted. Said with the 400 of a prompt that is too
 * long: official SDKs repeat a 429 by themselves, and no wait helps.
 */
export function refuseBeyondLimits(limits: readonly ScopedLimits[], tokens: number): void {
  const beyond = limits.find(({ tokensPerMinute = Number.POSITIVE_INFINITY }) => tokens > tokensPerMinute);
  if (!beyond) return;
  const limit = `The limit of ${OWNER[beyond.scope]} is ${count(beyond.tokensPerMinute ?? 0, 'token')} per minute`;
  throw new GatewayError('request_exceeds_limit', `${limit}, and this request alone may use ${tokens}. State a lower output limit, send less input, or ask the operator for a higher limit.`);
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
