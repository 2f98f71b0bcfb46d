import type { Dialect, Platform } from '@tokone/protocol';
import type { DispatchHead } from './adapter.js';

/** Everything that distinguishes one provider from another on the wire. A value, not a class. */
export interface Provider {
  platform: Platform;
  dialect: Dialect;
  /** Path and query at the provider for this request. `model` is the mapped name. */
  path(head: DispatchHead, model: string): string;
  /** The header that carries the credential. */
  authorize(credential: string): readonly [name: string, value: string];
  /** Headers sent when the client did not send them. */
  defaultHeaders: Readonly<Record<string, string>>;
  /** Name of the field that bounds the output, where the gateway has to write one. */
  outputLimitField: 'max_completion_tokens' | 'max_tokens' | 'maxOutputTokens';
  /** The client's `stream` member is TokOne's own extension and must not go upstream. */
  removesStreamMember: boolean;
  /** A stream reports its usage only when asked. */
  asksForUsage: boolean;
  /** Response header that names the request at the provider. */
  requestIdHeader: string;
}
