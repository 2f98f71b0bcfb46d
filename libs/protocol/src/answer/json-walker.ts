import { CAPTURE_SLOTS, CAPTURED, type Field, FOUND, memberAt, TEXT, TEXT_SLOTS } from './answer-field.js';
import { CandidateEnds } from './candidate-ends.js';
import { CODE, hexadecimalDigit, isScalarCode, unescapeName, utf8Bytes } from './json-code.js';

const MODE = {
  value: 0,
  firstItem: 1,
  firstName: 2,
  nextName: 3,
  colon: 4,
  after: 5,
  scalar: 6,
  string: 7,
  name: 8,
  closed: 9,
  broken: 10,
} as const;

const DEPTH_LIMIT = 512;
const NAME_LIMIT_BYTES = 256;
export const CAPTURE_LIMIT_BYTES = 65_536;
/** Short strings are read by a loop, longer ones by `indexOf`, whose call costs about as much as this many steps. */
const LOOP_BYTES = 24;

/**
 * Walks JSON in any number of pieces along a table of paths: counts text, sets flags, captures small values.
 *
 * It builds nothing, keeps no input but the captures, and takes time linear in the bytes. Text is latin1, one
 * character per byte, so UTF-8 sequences count as their bytes and may be cut anywhere. Structure is checked, scalars
 * only by their first character; input that is not JSON makes the walker `broken` and silent.
 */
export class JsonWalker {
  /** Union of `FOUND` flags. */
  found = 0;
  /** JSON text of captured values, as latin1. */
  readonly captured: (string | undefined)[] = new Array<string | undefined>(CAPTURE_SLOTS).fill(undefined);
  /** Captures still wanted, one per place; an unwanted one costs nothing. */
  readonly wanted: boolean[] = new Array<boolean>(CAPTURE_SLOTS).fill(true);
  /** A captured value was longer than 64 KiB and was given up. */
  oversized = false;

  readonly candidates = new CandidateEnds();
  private readonly textBytes: number[] = new Array<number>(TEXT_SLOTS).fill(0);
  private mode: number = MODE.value;
  private text = '';
  private depth = 0;
  private readonly containers: (Field | undefined)[] = [];
  private readonly isObject: boolean[] = [];
  /** Where the current or next value stands in the table; undefined where nobody cares. */
  private field: Field | undefined;

  private runBytes = 0;
  private escape = 0;
  private escapeCode = 0;
  private escaped = false;
  private nameStart = 0;
  private namePart = '';
  private nextQuote = -1;
  private nextBackslash = -1;

  private span: Field | undefined;
  private spanDepth = 0;
  private spanStart = 0;
  private spanPart = '';

  constructor(private readonly root: Field) {
    this.field = root;
  }

  /** The top-level value is whole. */
  get closed(): boolean {
    return this.mode === MODE.closed;
  }

  get broken(): boolean {
    return this.mode === MODE.broken;
  }

  /** UTF-8 bytes of output text since the last reset, the string being read included. */
  get outputTextBytes(): number {
    const bytes = this.textBytes;
    let answerBytes = bytes[TEXT.answer]!;
    let contentBytes = bytes[TEXT.reasoningContent]!;
    let reasoningBytes = bytes[TEXT.reasoning]!;
    if (this.mode === MODE.string && this.field?.role === 'text') {
      answerBytes += this.field.slot === TEXT.answer ? this.runBytes : 0;
      contentBytes += this.field.slot === TEXT.reasoningContent ? this.runBytes : 0;
      reasoningBytes += this.field.slot === TEXT.reasoning ? this.runBytes : 0;
    }
    return answerBytes + Math.max(contentBytes, reasoningBytes);
  }

  /** Forgets everything but `wanted` and `candidates`; the next byte begins a new document. */
  reset(): void {
    this.candidates.endDocument(this.closed);
    this.found = 0;
    for (let slot = 0; slot < CAPTURE_SLOTS; slot++) {
      this.captured[slot] = undefined;
    }
    for (let slot = 0; slot < TEXT_SLOTS; slot++) {
      this.textBytes[slot] = 0;
    }
    this.oversized = false;
    this.mode = MODE.value;
    this.depth = 0;
    this.field = this.root;
    this.escape = 0;
    this.namePart = '';
    this.span = undefined;
  }

  /** Sets the text that the following walks refer to. */
  open(text: string): void {
    this.text = text;
    this.nextQuote = -1;
    this.nextBackslash = -1;
  }

  /** Walks on from `from`; returns the offset behind the end of the top-level value, or `to`. */
  walk(from: number, to: number): number {
    const { text } = this;
    this.nameStart = from;
    this.spanStart = from;
    let at = from;
    while (at < to) {
      if (this.mode === MODE.string || this.mode === MODE.name) {
        at = this.walkString(at, to);
        continue;
      }
      let code = text.charCodeAt(at);
      if (this.mode === MODE.scalar) {
        while (isScalarCode(code) && ++at < to) {
          code = text.charCodeAt(at);
        }
        if (at === to) {
          break;
        }
        this.endValue(at);
      }
      if (code > 32) {
        at = this.step(code, at, to);
        if (this.mode >= MODE.closed) {
          return this.mode === MODE.closed ? at : to;
        }
      } else {
        if (this.span !== undefined && this.span.role === 'json-text') {
          this.textBytes[TEXT.answer]!--;
        }
        at++;
      }
    }
    this.suspend(to);
    return to;
  }

  /** Takes one character of structure, and the string that it may begin; returns the offset to go on from. */
  private step(code: number, at: number, to: number): number {
    const { mode } = this;
    if (mode === MODE.after) {
      this.stepAfter(code, at);
    } else if (mode === MODE.value) {
      return this.beginValue(code, at, to);
    } else if (mode === MODE.nextName || mode === MODE.firstName) {
      if (code === CODE.quote) {
        return this.beginString(MODE.name, at, to);
      }
      this.closeContainer(mode === MODE.firstName && code === CODE.closeObject, at);
    } else if (mode === MODE.colon) {
      this.mode = code === CODE.colon ? MODE.value : MODE.broken;
    } else if (mode === MODE.firstItem) {
      if (this.containers[this.depth - 1]?.role === 'list') {
        this.found |= code === CODE.closeList ? FOUND.noAnswers : FOUND.answers;
      }
      if (code !== CODE.closeList) {
        return this.beginValue(code, at, to);
      }
      this.closeContainer(true, at);
    } else {
      this.mode = MODE.broken;
    }
    return at + 1;
  }

  private stepAfter(code: number, at: number): void {
    const inObject = this.isObject[this.depth - 1]!;
    if (code === CODE.comma) {
      this.mode = inObject ? MODE.nextName : MODE.value;
      if (!inObject) {
        this.field = this.containers[this.depth - 1]?.items;
      }
    } else {
      this.closeContainer(code === (inObject ? CODE.closeObject : CODE.closeList), at);
    }
  }

  private beginValue(code: number, at: number, to: number): number {
    const field = this.field;
    if (field !== undefined && field.role !== 'none') {
      this.beginField(field, code, at);
    }
    if (code === CODE.quote && this.depth > 0) {
      return this.beginString(MODE.string, at, to);
    }
    if ((code === CODE.openObject || code === CODE.openList) && this.depth < DEPTH_LIMIT) {
      this.containers[this.depth] = field;
      this.isObject[this.depth] = code === CODE.openObject;
      this.depth++;
      this.mode = code === CODE.openObject ? MODE.firstName : MODE.firstItem;
      this.field = field?.items;
    } else {
      // An answer is an object or a list, never a lone scalar.
      this.mode = isScalarCode(code) && this.depth > 0 ? MODE.scalar : MODE.broken;
    }
    return at + 1;
  }

  private beginField(field: Field, code: number, at: number): void {
    if (field.role === 'present') {
      // A string decides at its end: "" means absent for the upstreams that write `"finish_reason": ""`.
      if (code !== CODE.letterN && code !== CODE.letterF && code !== CODE.quote) {
        this.found |= field.slot;
      }
    } else if (code === CODE.letterN) {
      this.found |= field.role === 'capture' && field.slot === CAPTURED.usage ? FOUND.usageNull : 0;
    } else if (field.role === 'json-text' || (field.role === 'capture' && this.wanted[field.slot]!)) {
      this.span = field;
      this.spanDepth = this.depth;
      this.spanStart = at;
      this.spanPart = '';
    }
  }

  private beginString(mode: number, at: number, to: number): number {
    this.mode = mode;
    this.runBytes = 0;
    this.escaped = false;
    this.nameStart = at + 1;
    this.namePart = '';
    return this.walkString(at + 1, to);
  }

  private closeContainer(fits: boolean, at: number): void {
    if (!fits) {
      this.mode = MODE.broken;
      return;
    }
    this.depth--;
    if (this.containers[this.depth]?.role === 'candidate') {
      this.candidates.note(this.captured[CAPTURED.index], (this.found & FOUND.finish) !== 0);
      this.captured[CAPTURED.index] = undefined;
      this.found &= ~FOUND.finish;
    }
    this.endValue(at + 1);
  }

  private endValue(end: number): void {
    if (this.span !== undefined && this.spanDepth === this.depth) {
      const { role, slot } = this.span;
      if (this.takeSpan(end) && role === 'capture') {
        this.captured[slot] = this.spanPart;
      }
      this.span = undefined;
    }
    this.mode = this.depth === 0 ? MODE.closed : MODE.after;
  }

  /** Reads on in a string; returns the offset behind its closing quote, or `to`. */
  private walkString(from: number, to: number): number {
    const text = this.text;
    let at = this.escape === 0 ? from : this.walkEscape(from, to);
    while (at < to) {
      const end = this.runEnd(at, to);
      this.runBytes += end - at;
      if (end >= to) {
        break;
      }
      if (text.charCodeAt(end) === CODE.quote) {
        return this.endString(end, to);
      }
      this.escape = 1;
      this.escaped = true;
      at = this.walkEscape(end + 1, to);
    }
    return to;
  }

  /** The next quote or backslash at or behind `from`, or `to`. The found places are kept, so each byte is searched once. */
  private runEnd(from: number, to: number): number {
    const text = this.text;
    const loopEnd = from + LOOP_BYTES < to ? from + LOOP_BYTES : to;
    let at = from;
    for (; at < loopEnd; at++) {
      const code = text.charCodeAt(at);
      if (code === CODE.quote || code === CODE.backslash) {
        return at;
      }
    }
    if (at === to) {
      return to;
    }
    if (this.nextQuote < at) {
      const found = text.indexOf('"', at);
      this.nextQuote = found < 0 ? text.length : found;
    }
    if (this.nextBackslash < at) {
      const found = text.indexOf('\\', at);
      this.nextBackslash = found < 0 ? text.length : found;
    }
    return Math.min(this.nextQuote, this.nextBackslash, to);
  }

  /** `escape` 1: behind the backslash; 2 to 5: that many minus two of the four hexadecimal digits read. */
  private walkEscape(from: number, to: number): number {
    let at = from;
    while (at < to && this.escape !== 0) {
      const code = this.text.charCodeAt(at++);
      if (this.escape === 1) {
        this.escapeCode = 0;
        this.escape = code === CODE.letterU ? 2 : 0;
        this.runBytes += code === CODE.letterU ? 0 : 1;
        continue;
      }
      this.escapeCode = this.escapeCode * 16 + hexadecimalDigit(code);
      this.escape = this.escape === 5 ? 0 : this.escape + 1;
      if (this.escape === 0) {
        this.runBytes += utf8Bytes(this.escapeCode);
      }
    }
    return at;
  }

  /** Returns the offset behind the string, and behind the colon that follows a name without white space. */
  private endString(end: number, to: number): number {
    const next = end + 1;
    if (this.mode === MODE.name) {
      this.field = this.lookUp(end);
      if (next < to && this.text.charCodeAt(next) === CODE.colon) {
        this.mode = MODE.value;
        return next + 1;
      }
      this.mode = MODE.colon;
      return next;
    }
    const field = this.field;
    if (field !== undefined) {
      if (field.role === 'text') {
        this.textBytes[field.slot]! += this.runBytes;
      } else if (field.role === 'present' && this.runBytes > 0) {
        this.found |= field.slot;
      }
    }
    this.endValue(next);
    return next;
  }

  private lookUp(end: number): Field | undefined {
    const container = this.containers[this.depth - 1];
    if (container === undefined) {
      return undefined;
    }
    if (this.namePart === '' && !this.escaped) {
      return memberAt(container.members[end - this.nameStart], this.text, this.nameStart);
    }
    this.takeName(end);
    const name = this.escaped ? unescapeName(this.namePart) : this.namePart;
    return memberAt(container.members[name.length], name, 0);
  }

  /** The text ends here; what is still needed of it is put by. */
  private suspend(to: number): void {
    if (this.mode === MODE.name) {
      this.takeName(to);
    }
    if (this.span !== undefined) {
      this.takeSpan(to);
    }
  }

  private takeName(end: number): void {
    if (this.namePart.length <= NAME_LIMIT_BYTES) {
      this.namePart += this.text.slice(this.nameStart, end);
    }
  }

  /** False when the value was given up because of its length. */
  private takeSpan(end: number): boolean {
    if (this.span!.role === 'json-text') {
      this.textBytes[TEXT.answer]! += end - this.spanStart;
      return true;
    }
    if (this.spanPart.length + end - this.spanStart > CAPTURE_LIMIT_BYTES) {
      this.oversized = true;
      this.span = undefined;
      return false;
    }
    this.spanPart += this.text.slice(this.spanStart, end);
    return true;
  }
}
