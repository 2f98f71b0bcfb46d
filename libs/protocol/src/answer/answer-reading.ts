import type { AnswerFraming, Dialect } from '../dialect.js';
import { mergeAnthropicMessagesUsage, readAnthropicMessagesUsage } from './anthropic-messages-usage.js';
import { CAPTURED, FOUND } from './answer-field.js';
import { fieldsOf } from './answer-fields.js';
import type { ReportedUsage } from './answer-scanner.js';
import { readGeminiContentUsage } from './gemini-content-usage.js';
import { JsonWalker } from './json-walker.js';
import { readOpenaiChatUsage } from './openai-chat-usage.js';
import { asObject, asText, type JsonObject } from './token-count.js';

const ANSWER_ID_LIMIT_BYTES = 256;

/** What has been learned from an answer so far; the same for every framing. */
export class AnswerReading {
  errored = false;
  answerId: string | undefined;
  oversized = false;
  readonly walker: JsonWalker;

  private finished = false;
  private earlierTextBytes = 0;
  private serviceTierText: string | undefined;
  private anthropicUsage: JsonObject | undefined;
  private reported: ReportedUsage | undefined;
  /** The last usage seen, parsed only when someone asks: some providers repeat it in every event. */
  private unread: { text: string; final: boolean } | undefined;

  constructor(
    private readonly dialect: Dialect,
    private readonly framing: AnswerFraming,
  ) {
    this.walker = new JsonWalker(fieldsOf(dialect, framing));
  }

  get usage(): ReportedUsage | undefined {
    this.readUsage();
    // OpenAI states the tier beside the usage: before it in a stream, behind it in a document.
    if (this.reported !== undefined && this.serviceTierText !== undefined) {
      this.reported.serviceTier = asText(parseJson(this.serviceTierText));
    }
    return this.reported;
  }

  get outputTextBytes(): number {
    return this.earlierTextBytes + this.walker.outputTextBytes;
  }

  /** One event, or one element of a list, is whole. The walker is ready for the next. */
  endEvent(eventName: string | undefined): void {
    this.take();
    if (eventName === 'error') {
      this.errored = true;
    }
    this.earlierTextBytes += this.walker.outputTextBytes;
    this.walker.reset();
  }

  /** Takes what the walker has captured since the last call. */
  take(): void {
    const { walker } = this;
    if ((walker.found & FOUND.error) !== 0 || walker.captured[CAPTURED.type] === '"error"') {
      this.errored = true;
    }
    if (this.dialect === 'gemini-content') {
      this.finished = walker.candidates.allEnded;
    } else if ((walker.found & FOUND.finish) !== 0) {
      this.finished = true;
    }
    this.oversized ||= walker.oversized;
    if (walker.captured[CAPTURED.id] !== undefined) {
      this.takeAnswerId(walker.captured[CAPTURED.id]!);
    }
    if (walker.captured[CAPTURED.usage] !== undefined) {
      this.takeUsage(walker.captured[CAPTURED.usage]!, CAPTURED.usage);
    }
    if (walker.captured[CAPTURED.startUsage] !== undefined) {
      this.takeUsage(walker.captured[CAPTURED.startUsage]!, CAPTURED.startUsage);
    }
    if (walker.captured[CAPTURED.serviceTier] !== undefined) {
      this.takeServiceTier(walker.captured[CAPTURED.serviceTier]!);
    }
  }

  private takeAnswerId(captured: string): void {
    this.walker.captured[CAPTURED.id] = undefined;
    const id = parseJson(decodeCaptured(captured));
    if (typeof id === 'string' && id !== '' && id.length <= ANSWER_ID_LIMIT_BYTES) {
      this.answerId = id;
      this.walker.wanted[CAPTURED.id] = false;
    }
  }

  private takeServiceTier(captured: string): void {
    this.walker.captured[CAPTURED.serviceTier] = undefined;
    if (captured !== this.serviceTierText) {
      this.serviceTierText = decodeCaptured(captured);
    }
  }

  private takeUsage(captured: string, slot: number): void {
    const { walker } = this;
    walker.captured[slot] = undefined;
    if (captured.length <= '{}'.length) {
      return;
    }
    const final =
      this.framing === 'json' ||
      (this.dialect === 'anthropic-messages'
        ? slot === CAPTURED.usage
        : this.finished || (walker.found & FOUND.noAnswers) !== 0);
    if (this.dialect === 'anthropic-messages') {
      this.readUsage(); // Anthropic's later report completes the earlier one, so each has to be read.
    }
    this.unread = { text: decodeCaptured(captured), final };
  }

  private readUsage(): void {
    if (this.unread === undefined) {
      return;
    }
    const value = asObject(parseJson(this.unread.text));
    const usage = value && this.normaliseUsage(value, this.unread.final);
    this.reported = usage ?? this.reported;
    this.unread = undefined;
  }

  private normaliseUsage(value: JsonObject, final: boolean): ReportedUsage | undefined {
    switch (this.dialect) {
      case 'openai-chat':
        return readOpenaiChatUsage(value, final);
      case 'anthropic-messages':
        this.anthropicUsage = mergeAnthropicMessagesUsage(this.anthropicUsage, value);
        return readAnthropicMessagesUsage(this.anthropicUsage, final);
      case 'gemini-content':
        return readGeminiContentUsage(value, final);
    }
  }
}

/** Captures are latin1, one character per byte. Decoding them also frees the read that they were cut from. */
function decodeCaptured(captured: string): string {
  return Buffer.from(captured, 'latin1').toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
