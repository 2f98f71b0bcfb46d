import { AnswerScan } from './answer-scan.js';
import type { AnswerScannerOptions } from './answer-scanner.js';
import { DATA_HEAD, type EventFacts, type EventJudge, eventJudgeOf } from './event-judge.js';
import type { JsonWalker } from './json-walker.js';

const LINE = { unknown: 0, data: 1, event: 2, comment: 3, other: 4 } as const;

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const SPACE = 32;
const COLON = 58;
const OPEN_LIST = 91;
const OPEN_OBJECT = 123;
const DONE = '[DONE]';
const BYTE_ORDER_MARK = '\u00ef\u00bb\u00bf';
/** Longer than any field name that means something here. */
const FIELD_NAME_LIMIT_BYTES = 8;
const EVENT_NAME_LIMIT_BYTES = 64;
export const EVENT_LIMIT_BYTES = 1_048_576;

/**
 * Server-sent events (WHATWG HTML, "Server-sent events"): LF, CR and CRLF end lines, a blank line ends an event.
 *
 * The unit of relay is the event with its blank line. Comment lines in front of an event's first field are units of
 * their own, so that an upstream's keep-alive passes at once. Lines are walked as they come in, so a partial event
 * is never read twice.
 */
export class SseScanner extends AnswerScan implements EventFacts {
  terminal = false;
  complete = false;
  name: string | undefined;
  dataHead: number = DATA_HEAD.none;
  readonly walker: JsonWalker;

  private readonly judge: EventJudge;
  private nextLineFeed = -1;
  private nextCarriageReturn = -1;
  private markBytes = 0;
  private line: number = LINE.unknown;
  private lineStarted = false;
  private fieldName = '';
  private eventValue = '';
  private doneBytes = 0;
  /** The current event has a field line. */
  private opened = false;
  /** Bytes of the current event are out already. */
  private passed = false;
  private endedByCarriageReturn = false;
  private removedLast = false;

  constructor(options: AnswerScannerOptions) {
    super(options);
    this.walker = this.reading.walker;
    this.judge = eventJudgeOf(options.dialect, options.removeUsageEvent);
  }

  /**
   * A closing event without its blank line completes the answer at a clean end, because the official OpenAI and
   * Anthropic clients dispatch such an event too. Gemini's client does not.
   */
  protected override endAnswer(): void {
    if (this.terminal && !this.complete) {
      const partial = this.opened || (this.lineStarted && this.line !== LINE.comment);
      this.complete = this.judge.terminalIsLast
        ? this.dataHead === DATA_HEAD.done || this.walker.closed
        : !partial;
    }
  }

  protected override isReading(): boolean {
    return !this.complete;
  }

  protected override scan(text: string): void {
    this.nextLineFeed = -1;
    this.nextCarriageReturn = -1;
    const end = text.length;
    let at = this.skipLineFeed(text);
    while (at < end) {
      const lineEnd = this.lineEnd(text, at);
      this.walkLine(text, at, lineEnd);
      if (lineEnd === end) {
        break;
      }
      at = lineEnd + 1;
      if (text.charCodeAt(lineEnd) === CARRIAGE_RETURN) {
        if (at === end) {
          this.endedByCarriageReturn = true;
        } else if (text.charCodeAt(at) === LINE_FEED) {
          at++;
        }
      }
      this.endLine(at);
      if (this.complete) {
        return;
      }
    }
    this.judgePartial(end);
  }

  /** The LF of a CRLF that was cut in two goes the way of the line it ends. */
  private skipLineFeed(text: string): number {
    if (!this.endedByCarriageReturn) {
      return 0;
    }
    this.endedByCarriageReturn = false;
    if (text.charCodeAt(0) !== LINE_FEED) {
      return 0;
    }
    if (!this.opened && !this.terminal) {
      if (this.removedLast) {
        this.relay.drop(1);
      } else {
        this.relay.release(1);
      }
    }
    return 1;
  }

  /** The offset of the next line terminator, or the end. Each byte is searched once per kind. */
  private lineEnd(text: string, from: number): number {
    if (this.nextLineFeed < from) {
      const found = text.indexOf('\n', from);
      this.nextLineFeed = found < 0 ? text.length : found;
    }
    if (this.nextCarriageReturn < from) {
      const found = text.indexOf('\r', from);
      this.nextCarriageReturn = found < 0 ? text.length : found;
    }
    return this.nextLineFeed < this.nextCarriageReturn ? this.nextLineFeed : this.nextCarriageReturn;
  }

  private walkLine(text: string, from: number, to: number): void {
    let at = from;
    if (this.line === LINE.unknown) {
      if (this.markBytes < BYTE_ORDER_MARK.length) {
        at = this.skipByteOrderMark(text, at, to);
      }
      if (at === to) {
        return;
      }
      this.lineStarted = true;
      if (this.fieldName === '' && to - at >= 5 && text.startsWith('data:', at)) {
        this.line = LINE.data;
        at += 5;
      } else {
        at = this.walkFieldName(text, at, to);
      }
    }
    if (this.line === LINE.data) {
      this.walkData(text, at, to);
    } else if (this.line === LINE.event && this.eventValue.length <= EVENT_NAME_LIMIT_BYTES) {
      this.eventValue += text.slice(at, Math.min(to, at + EVENT_NAME_LIMIT_BYTES + 2));
    }
  }

  private skipByteOrderMark(text: string, from: number, to: number): number {
    let at = from;
    while (at < to && this.markBytes < BYTE_ORDER_MARK.length) {
      if (text.charCodeAt(at) !== BYTE_ORDER_MARK.charCodeAt(this.markBytes)) {
        this.fieldName = BYTE_ORDER_MARK.slice(0, this.markBytes);
        this.markBytes = BYTE_ORDER_MARK.length;
        break;
      }
      this.markBytes++;
      at++;
    }
    return at;
  }

  private walkFieldName(text: string, from: number, to: number): number {
    const limit = Math.min(to, from + FIELD_NAME_LIMIT_BYTES - this.fieldName.length);
    for (let at = from; at < limit; at++) {
      if (text.charCodeAt(at) === COLON) {
        this.line = lineKind(this.fieldName + text.slice(from, at));
        this.eventValue = '';
        return at + 1;
      }
    }
    this.fieldName += text.slice(from, limit);
    if (this.fieldName.length >= FIELD_NAME_LIMIT_BYTES) {
      this.line = LINE.other;
    }
    return to;
  }

  private walkData(text: string, from: number, to: number): void {
    let at = from;
    if (this.dataHead === DATA_HEAD.none) {
      while (at < to && text.charCodeAt(at) <= SPACE) {
        at++;
      }
      if (at === to) {
        return;
      }
      const code = text.charCodeAt(at);
      this.dataHead =
        code === OPEN_OBJECT ? DATA_HEAD.object : code === OPEN_LIST ? DATA_HEAD.perhapsDone : DATA_HEAD.other;
    }
    if (this.dataHead === DATA_HEAD.object) {
      const valueEnd = this.walker.walk(at, to);
      if (valueEnd < to) {
        this.walker.walk(valueEnd, to);
      }
    } else if (this.dataHead === DATA_HEAD.perhapsDone) {
      this.walkDone(text, at, to);
    }
  }

  private walkDone(text: string, from: number, to: number): void {
    for (let at = from; at < to && this.dataHead === DATA_HEAD.perhapsDone; at++) {
      if (text.charCodeAt(at) !== DONE.charCodeAt(this.doneBytes)) {
        this.dataHead = DATA_HEAD.other;
      } else if (++this.doneBytes === DONE.length) {
        this.dataHead = DATA_HEAD.done;
      }
    }
  }

  private endLine(end: number): void {
    if (!this.lineStarted) {
      this.endEvent(end);
      return;
    }
    if (this.line === LINE.comment && !this.opened) {
      if (!this.terminal) {
        this.relay.release(end);
        this.removedLast = false;
      }
    } else {
      this.opened = true;
    }
    if (this.line === LINE.event) {
      this.name = this.eventValue.startsWith(' ') ? this.eventValue.slice(1) : this.eventValue;
    } else if (this.dataHead === DATA_HEAD.perhapsDone) {
      this.dataHead = DATA_HEAD.other;
    }
    this.line = LINE.unknown;
    this.lineStarted = false;
    this.fieldName = '';
  }

  private endEvent(end: number): void {
    this.removedLast = false;
    if (!this.opened) {
      if (!this.terminal) {
        this.relay.release(end);
      }
      return;
    }
    if (this.judge.isTerminal(this)) {
      this.terminalBytes = this.terminal ? this.terminalBytes : this.relay.waitingBytesBefore(end);
      this.terminal = true;
      this.complete = this.judge.terminalIsLast;
    } else if (!this.terminal || this.judge.isReopening(this)) {
      this.terminal = false;
      if (!this.passed && this.judge.isRemoved(this)) {
        this.relay.drop(end);
        this.removedLast = true;
      } else {
        this.relay.release(end);
      }
    }
    this.reading.endEvent(this.name);
    this.opened = false;
    this.passed = false;
    this.name = undefined;
    this.dataHead = DATA_HEAD.none;
    this.doneBytes = 0;
  }

  private judgePartial(end: number): void {
    if (this.terminal || !(this.opened || this.lineStarted)) {
      return;
    }
    if (this.judge.terminalIsLast && this.judge.isTerminal(this)) {
      this.terminal = true;
    } else if (this.passed || this.judge.mayPass(this)) {
      this.pass(end);
    } else if (this.relay.waitingBytes > EVENT_LIMIT_BYTES) {
      this.reading.oversized = true;
      this.pass(end);
    }
  }

  private pass(end: number): void {
    this.passed = true;
    this.relay.release(end);
  }
}

function lineKind(fieldName: string): number {
  switch (fieldName) {
    case 'data':
      return LINE.data;
    case 'event':
      return LINE.event;
    case '':
      return LINE.comment;
    default:
      return LINE.other;
  }
}
