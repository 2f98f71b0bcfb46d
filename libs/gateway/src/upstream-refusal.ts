import type { AnswerHead } from '@tokone/adapter-kit';
import { GatewayError } from '@tokone/protocol';
import type { ErrorCode } from '@tokone/protocol';

/** The provider judged the request itself: its own words help the caller most, and they are in the caller's dialect. */
const PASSED_THROUGH = new Set([400, 404, 405, 409, 413, 415, 422]);

/**
 * Refusals of the operator's account that come with the status of a bad request: Gemini API, "Error codes"
 * (`API_KEY_INVALID`), and Anthropic's empty prepaid balance.
 */
const OF_ACCOUNT = /API_KEY_INVALID|credit balance is too low/;

/** Errors of a provider are kept whole up to this, to be passed on. */
const MAX_KEPT_BYTES = 65_536;

/** The body of a provider's refusal while it is read. */
export class KeptRefusal {
  private readonly slices: Buffer[] = [];
  private bytes = 0;

  add(bytes: Buffer): void {
    this.bytes += bytes.length;
    if (this.bytes <= MAX_KEPT_BYTES) this.slices.push(bytes);
  }

  /** For the caller, who can mend what it says; undefined when it is not about the request. */
  passedOn(status: number): Buffer[] | undefined {
    return this.bytes <= MAX_KEPT_BYTES && passesThrough(status, this.slices) ? this.slices : undefined;
  }
}

function passesThrough(status: number, body: readonly Buffer[]): boolean {
  return PASSED_THROUGH.has(status) && !(status === 400 && refusesAccount(body));
}

function refusesAccount(body: readonly Buffer[]): boolean {
  return OF_ACCOUNT.test(Buffer.concat(body).toString('latin1'));
}

/** A provider's answer that speaks of the operator's account or of the provider's state → our own words: no organisation names, no hints at credentials. */
export function refusalOf(head: AnswerHead): GatewayError {
  const retryAfter = head.headers['retry-after'];
  const retryAfterSeconds = retryAfter === undefined ? undefined : Number(retryAfter);
  switch (head.status) {
    case 400:
    case 401:
    case 402:
    case 403:
      return new GatewayError('upstream_credential', "The provider refused the operator's account. Tell the operator; your key and balance are fine.");
    case 429:
      return new GatewayError('upstream_rate_limited', "The provider's rate limit is reached. Wait and send the request again.", { retryAfterSeconds: retryAfterSeconds ?? 5 });
    case 408:
    case 504:
      return failureOf('upstream_timeout', true);
    case 503:
    case 529:
      return new GatewayError('upstream_overloaded', 'The provider is overloaded. Wait and send the request again.', { retryAfterSeconds: retryAfterSeconds ?? 5 });
    default:
      return failureOf('upstream_failed', true);
  }
}

const FAILURE_SENTENCES: Partial<Record<ErrorCode, string>> = {
  not_ready: 'The part of TokOne that serves this group does not answer at this moment. Send the request again.',
  no_upstream: 'The group of this key has no upstream that can serve it. Tell the operator.',
  upstream_timeout: 'The provider did not answer in time. Send the request again.',
  internal_error: 'TokOne failed. Send the request again; the request id helps the operator to find it.',
};

const RETRY_AFTER_SECONDS: Partial<Record<ErrorCode, number>> = {
  // A process that died is back by then, or another one serves.
  not_ready: 2,
};

/** `answered`: the provider had begun to answer. */
export function failureOf(code: ErrorCode, answered: boolean): GatewayError {
  const sentence = FAILURE_SENTENCES[code] ?? (answered ? 'The provider failed while it answered. Send the request again.' : 'The provider cannot be reached. Send the request again.');
  const retryAfterSeconds = RETRY_AFTER_SECONDS[code];
  return new GatewayError(code, sentence, { ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) });
}
