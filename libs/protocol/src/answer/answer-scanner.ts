import type { AnswerFraming, Dialect } from '../dialect.js';
import type { TokenUsage } from '../token-usage.js';

/**
 * Reads a provider's answer as it passes: counts its text, finds its usage and holds back the terminal unit.
 *
 * The owner pushes every chunk in order, then forwards `ready` (and empties it). Concatenating everything that was
 * ever in `ready` and then `takeHeld()` gives exactly the bytes pushed, but for a removed usage event
 * (`removeUsageEvent`), unless it is `overheld`. Works for any split of the bytes. Never throws on bad bytes: what cannot be understood is
 * relayed, and simply carries no usage.
 */
export interface AnswerScanner {
  /** Takes the next bytes. The buffer is not copied; the caller must not change it afterwards. */
  push(bytes: Buffer): void;
  /**
   * The upstream ended cleanly. Sets `complete` where the end itself completes the answer: JSON bodies, Gemini streams,
   * and a closing event of OpenAI or Anthropic that lacks its blank line.
   */
  end(): void;
  /** Bytes that may go to the client now, in order. The owner takes them by `takeReady()`. */
  takeReady(): Buffer[];
  /** Bytes held back: the terminal unit and all behind it, or an event that is still partial. Emptied by the call. */
  takeHeld(): Buffer[];
  /**
   * The terminal unit has begun (its bytes are held from here on). Only Gemini can take it back: a candidate that had
   * not been seen shows up behind the end of the others, and what was held goes out.
   */
  readonly terminal: boolean;
  /** Nothing more is needed for a whole answer: the terminal unit is whole (OpenAI, Anthropic), or the end came after it began. */
  readonly complete: boolean;
  /** The provider's own error event was seen inside the stream (`{"error": …}` or `event: error`). */
  readonly errored: boolean;
  /** The usage the provider reported, normalised; the last and most complete one. Undefined when none came. */
  readonly usage: ReportedUsage | undefined;
  /** UTF-8 bytes of model output seen so far: text, reasoning text, tool-call names and arguments; base64 media excluded. */
  readonly outputTextBytes: number;
  /** The provider's id of the answer (`id`, `responseId`), when seen. */
  readonly answerId: string | undefined;
  /** An event or value grew beyond the bound (1 MiB) without being understood; it was relayed without a look. */
  readonly oversized: boolean;
  /**
   * More than 1 MiB came behind the event or document that began the terminal unit. Nothing is taken in any more, so
   * bytes are missing: an upstream failure, unless the answer was `complete` before. It is never `complete` afterwards.
   */
  readonly overheld: boolean;
}

export interface ReportedUsage {
  tokens: TokenUsage;
  /** `usage` as the provider wrote it, for the record; at most 4 KiB of JSON text. */
  raw: string;
  /** True when it stands for the whole answer; false while a stream has only reported its input (Anthropic's `message_start`). */
  final: boolean;
  /** Service tier that the provider says it used. */
  serviceTier: string | undefined;
  /** Calls of hosted tools, by price-book unit (`web_search`). */
  units: Record<string, number>;
  /** Something did not add up (a negative class after normalisation): clamped to 0 and flagged. */
  odd: boolean;
}

export interface AnswerScannerOptions {
  dialect: Dialect;
  framing: AnswerFraming;
  /** OpenAI only: drop the event whose `choices` is empty and whose `usage` is not null (the client had not asked for it). */
  removeUsageEvent: boolean;
}

/** Signature of the factory in `scan-answer.ts`. */
export type ScanAnswer = (options: AnswerScannerOptions) => AnswerScanner;
