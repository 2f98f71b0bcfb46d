/** Who is limited. `group`: what one account does in one group. */
export const LIMIT_SCOPES = ['account', 'user', 'key', 'group'] as const;
export type LimitScope = (typeof LIMIT_SCOPES)[number];

/** Integers from 1 to 2,147,483,647; what is absent is not limited. */
export interface RequestLimits {
  /** Admitted in any 60 s. */
  requestsPerMinute?: number | undefined;
  /** Of all classes, cached ones too, in any 60 s. */
  tokensPerMinute?: number | undefined;
  /** Running at a time. */
  concurrentRequests?: number | undefined;
}

/** The limits of one scope that a request counts in. */
export interface ScopedLimits extends RequestLimits {
  scope: LimitScope;
  /** Of the account, user, key or group; of a group, counted for each account by itself. */
  id: string;
}

export const MOST_LIMIT = 2_147_483_647;

/** None of the three is limited. */
export function isUnlimited({ requestsPerMinute, tokensPerMinute, concurrentRequests }: RequestLimits): boolean {
  return requestsPerMinute === undefined && tokensPerMinute === undefined && concurrentRequests === undefined;
}
