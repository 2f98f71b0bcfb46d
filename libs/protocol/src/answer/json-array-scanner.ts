import { AnswerScan } from './answer-scan.js';
import { endsGeminiAnswer } from './event-judge.js';
import { EVENT_LIMIT_BYTES } from './sse-scanner.js';

const PLACE = { start: 0, first: 1, next: 2, element: 3, behind: 4, closed: 5, garbage: 6 } as const;

const SPACE = 32;
const COMMA = 44;
const OPEN_LIST = 91;
const CLOSE_LIST = 93;
const OPEN_OBJECT = 123;

/**
 * Gemini's stream without `alt=sse`: one JSON array whose elements arrive over time.
 *
 * The unit of relay is an element with the brackets, commas and white space in front of it. The terminal unit begins
 * at the element after which each candidate has its `finishReason`, or at the closing bracket when none came.
 */
export class JsonArrayScanner extends AnswerScan {
  terminal = false;
  complete = false;

  private place: number = PLACE.start;
  /** An object without an array around it: how a provider may answer a stream that it refuses. */
  private bare = false;

  protected override endAnswer(): void {
    this.complete = this.place === PLACE.closed || (this.bare && this.terminal && this.place === PLACE.behind);
  }

  protected override scan(text: string): void {
    let at = 0;
    while (at < text.length && this.place !== PLACE.garbage) {
      at = this.place === PLACE.element ? this.walkElement(at, text.length) : this.walkBetween(text, at);
    }
    if (this.terminal) {
      return;
    }
    if (this.place === PLACE.garbage) {
      this.relay.release(text.length);
    } else if (this.relay.waitingBytes > EVENT_LIMIT_BYTES) {
      this.reading.oversized = true;
      this.relay.release(text.length);
    }
  }

  private walkElement(from: number, to: number): number {
    const { walker } = this.reading;
    const end = walker.walk(from, to);
    if (walker.broken) {
      this.place = PLACE.garbage;
    } else if (walker.closed) {
      const reopened = this.terminal && walker.candidates.someOpen;
      this.terminal = !reopened && (this.terminal || endsGeminiAnswer(walker));
      this.reading.endEvent(undefined);
      this.place = PLACE.behind;
      if (!this.terminal) {
        this.terminalBytes = 0;
        this.relay.release(end);
      } else if (this.terminalBytes === 0) {
        this.terminalBytes = this.relay.waitingBytesBefore(end);
      }
    }
    return end;
  }

  /** One byte between elements; returns the offset to go on from. */
  private walkBetween(text: string, at: number): number {
    const code = text.charCodeAt(at);
    if (code <= SPACE) {
      return at + 1;
    }
    const { place } = this;
    if (code === OPEN_OBJECT && (place === PLACE.start || place === PLACE.first || place === PLACE.next)) {
      this.bare = place === PLACE.start;
      this.place = PLACE.element;
      return at;
    }
    if (code === OPEN_LIST && place === PLACE.start) {
      this.place = PLACE.first;
    } else if (code === COMMA && place === PLACE.behind && !this.bare) {
      this.place = PLACE.next;
    } else if (code === CLOSE_LIST && (place === PLACE.first || place === PLACE.behind) && !this.bare) {
      this.place = PLACE.closed;
      this.terminal = true;
    } else {
      this.place = PLACE.garbage;
    }
    return at + 1;
  }
}
