/** Headers of a client that go to the provider. All else stays here: keys, cookies, hosts, forwarding, framing. */
const REQUEST_HEADERS = new Set(['accept', 'anthropic-version', 'anthropic-beta', 'openai-beta', 'x-goog-api-client']);

/** Headers of a provider that go to the client. Organisation ids, cookies and rate limits are the operator's own. */
const ANSWER_HEADERS = ['content-type', 'cache-control', 'openai-processing-ms', 'openai-version'];

/** The client's raw headers (name, value, …) → those that may go to the provider, in the same flat form. */
export function allowedRequestHeaders(rawHeaders: readonly string[]): string[] {
  const allowed: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    // The longest allowed name has 17 characters; most headers of an SDK are decided by their length alone.
    if (name.length > 17) continue;
    const lower = name.toLowerCase();
    if (REQUEST_HEADERS.has(lower)) allowed.push(lower, rawHeaders[index + 1] ?? '');
  }
  return allowed;
}

export function allowedAnswerHeaders(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const allowed: Record<string, string> = {};
  for (const name of ANSWER_HEADERS) {
    const value = firstOf(headers[name]);
    if (value !== undefined) allowed[name] = value;
  }
  const retryAfter = firstOf(headers['retry-after']);
  if (retryAfter !== undefined && /^\d{1,6}$/.test(retryAfter)) allowed['retry-after'] = retryAfter;
  return allowed;
}

export function firstOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
