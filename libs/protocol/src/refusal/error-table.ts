/** One row per way in which TokOne refuses or fails a request. `docs/errors.md` is generated from this table. */
export interface ErrorRow {
  status: number;
  /** The same request may succeed later without a change. */
  retryable: boolean;
  /** When it happens, for the documentation. */
  when: string;
  /** What the caller can do, for the documentation. */
  remedy: string;
}

export const ERROR_TABLE = {
  malformed_request: { status: 400, retryable: false, when: 'What arrived is not HTTP.', remedy: 'Check the client and any proxy in between.' },
  invalid_json: {
    status: 400,
    retryable: false,
    when: 'The body is not one JSON document in UTF-8.',
    remedy: 'Send valid JSON; the message says where reading stopped.',
  },
  not_an_object: { status: 400, retryable: false, when: 'The body is JSON but not an object.', remedy: 'Send a JSON object.' },
  invalid_field: {
    status: 400,
    retryable: false,
    when: 'A field that the gateway reads is missing or has the wrong type.',
    remedy: 'Correct the field that the message names.',
  },
  duplicate_field: {
    status: 400,
    retryable: false,
    when: 'A field that the gateway reads stands twice, or in two spellings.',
    remedy: 'Keep one of them.',
  },
  too_deep: { status: 400, retryable: false, when: 'The body is nested more than 64 levels deep.', remedy: 'Flatten the body.' },
  key_in_query: {
    status: 400,
    retryable: false,
    when: 'An API key stands in the URL (`?key=` or `?api_key=`).',
    remedy: 'Send the key in a header, and replace it: URLs end up in logs.',
  },
  unpriced_tool: {
    status: 400,
    retryable: false,
    when: 'A hosted tool of the provider is asked for that has no unit price here.',
    remedy: 'Leave the tool out, or ask the operator to set a price for it.',
  },
  request_exceeds_limit: {
    status: 400,
    retryable: false,
    when: 'The request may use more tokens than a limit allows in a whole minute, so that no wait would help.',
    remedy: 'State a lower output limit or send less input, as the message says; or ask for a higher limit.',
  },
  missing_key: {
    status: 401,
    retryable: false,
    when: 'No API key was sent.',
    remedy: 'Send `Authorization: Bearer <key>`, `x-api-key: <key>` or `x-goog-api-key: <key>`.',
  },
  invalid_key: {
    status: 401,
    retryable: false,
    when: 'The first key header present holds no key of this deployment.',
    remedy: 'Check the key; when several key headers are sent, the first of Authorization, x-api-key, x-goog-api-key decides.',
  },
  disabled_key: { status: 401, retryable: false, when: 'The key was disabled.', remedy: 'Use another key or create one.' },
  insufficient_balance: {
    status: 402,
    retryable: false,
    when: 'The balance does not cover what the request may cost.',
    remedy: 'Top up, or ask for less output; the message names what is available and what is needed.',
  },
  account_suspended: { status: 403, retryable: false, when: 'The account is suspended.', remedy: 'Ask the operator.' },
  unknown_path: { status: 404, retryable: false, when: 'There is no such endpoint.', remedy: 'See the list of endpoints.' },
  unknown_model: {
    status: 404,
    retryable: false,
    when: 'No group of this deployment sells the model.',
    remedy: 'List the models of your key with GET /v1/models.',
  },
  model_of_other_group: {
    status: 404,
    retryable: false,
    when: 'The model belongs to another group than the key.',
    remedy: 'Use a key of the group that the message names.',
  },
  endpoint_of_other_dialect: {
    status: 404,
    retryable: false,
    when: "The endpoint speaks another dialect than the key's group.",
    remedy: 'Use the endpoint, or a key of the group, that the message names.',
  },
  method_not_allowed: { status: 405, retryable: false, when: 'The endpoint exists, with another method.', remedy: 'Use the method named in `Allow`.' },
  request_timeout: { status: 408, retryable: true, when: 'The request did not arrive whole in time.', remedy: 'Send it again.' },
  body_too_large: { status: 413, retryable: false, when: 'The body is larger than the limit.', remedy: 'Send less; the message names the limit.' },
  unsupported_body: {
    status: 415,
    retryable: false,
    when: 'The body is compressed or not declared as JSON.',
    remedy: 'Send plain JSON with `Content-Type: application/json`.',
  },
  balance_held: {
    status: 429,
    retryable: true,
    when: 'The balance would cover the request, but running requests hold it.',
    remedy: 'Wait for running requests to end, as `Retry-After` says.',
  },
  rate_limit_exceeded: {
    status: 429,
    retryable: true,
    when: 'A limit of the key, its user, the account or its use of the group is reached: requests or tokens of the last 60 s, or requests at a time.',
    remedy: 'Wait as `Retry-After` says; the message names the limit, its value and whose it is.',
  },
  upstream_rate_limited: {
    status: 429,
    retryable: true,
    when: "The provider's rate limit is reached.",
    remedy: 'Wait as `Retry-After` says.',
  },
  headers_too_large: { status: 431, retryable: false, when: 'The request head is larger than the limit, or has too many lines.', remedy: 'Send fewer or shorter headers.' },
  internal_error: { status: 500, retryable: true, when: 'TokOne failed.', remedy: 'Send it again; give the request id to the operator.' },
  upstream_failed: { status: 502, retryable: true, when: 'The provider failed or the connection to it broke.', remedy: 'Send it again.' },
  upstream_credential: {
    status: 502,
    retryable: false,
    when: "The provider refused the operator's credential or account.",
    remedy: 'Tell the operator.',
  },
  no_upstream: { status: 503, retryable: true, when: 'The group has no upstream.', remedy: 'Tell the operator.' },
  upstream_overloaded: { status: 503, retryable: true, when: 'The provider is overloaded.', remedy: 'Send it again, more slowly.' },
  not_ready: { status: 503, retryable: true, when: 'TokOne, or a part of it that the request needs, is starting or stopping.', remedy: 'Send it again in a moment.' },
  spool_unavailable: {
    status: 503,
    retryable: true,
    when: 'Usage cannot be recorded durably, so nothing is served.',
    remedy: 'Send it again in a moment; the operator is alarmed.',
  },
  admission_unavailable: {
    status: 503,
    retryable: true,
    when: 'The balance cannot be checked, so nothing is served.',
    remedy: 'Send it again in a moment.',
  },
  upstream_timeout: { status: 504, retryable: true, when: 'The provider did not answer in time.', remedy: 'Send it again.' },
  balance_exhausted: {
    status: 402,
    retryable: false,
    when: 'A running stream used up the balance; it is ended by an error event.',
    remedy: 'Top up and continue.',
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERROR_TABLE;
