import { isUtf8 } from 'node:buffer';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const FIRST_PRINTABLE = 0x20;

/** A string that goes on for this many bytes is scanned four bytes at a time. */
const SHORT_STRING_BYTES = 24;

/** Bytes after a backslash that make a whole escape. */
const SIMPLE_ESCAPE: Uint8Array = bytesOf('"\\/bfnrt');
const HEX_DIGIT: Uint8Array = bytesOf('0123456789abcdefABCDEF');

const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NULL_WORD = Buffer.from('null');

/**
 * Reads the tokens of a JSON text (RFC 8259) from a Buffer, without making strings. Every reading method answers
 * `false` after it has noted `trouble`; none throws. It reads bytes, not a string of the body: a string costs a copy,
 * and a slice of it keeps the whole alive.
 */
export class JsonScanner {
  /** Offset of the next byte to read. */
  at = 0;
  /** The kind of the value read last (json-kind.ts), and its bytes, quotes and brackets included. */
  kind = 0;
  from = 0;
  to = 0;
  /** The content of the string read last, without its quotes, and whether it has an escape. */
  start = 0;
  end = 0;
  escaped = false;
  /** For an object read last: whether it has no member. */
  empty = false;
  /** What is wrong with the text, and where. */
  trouble: string | undefined = undefined;
  troubleAt = 0;

  private readonly length: number;
  /** The body as words of four bytes from the first aligned byte on; made when the first long string is met. */
  private words: Int32Array | undefined = undefined;
  private readonly firstWordAt: number;

  constructor(readonly body: Buffer) {
    this.length = body.length;
    this.firstWordAt = -body.byteOffset & 3;
  }

  /** The body as a whole is UTF-8. To be asked before anything else is read. */
  encoding(): boolean {
    return isUtf8(this.body) || this.fail(-1, 'it is not UTF-8');
  }

  /** Skips white space; the byte that follows, or -1 at the end. */
  next(): number {
    const { body, length } = this;
    let offset = this.at;
    while (offset < length) {
      const byte = body[offset] as number;
      if (byte > FIRST_PRINTABLE || (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) {
        this.at = offset;
        return byte;
      }
      offset++;
    }
    this.at = length;
    return -1;
  }

  /** Reads a string whose opening quote stands at `at`. */
  string(): boolean {
    const { body, length } = this;
    let offset = this.at + 1;
    this.start = offset;
    this.escaped = false;
    for (;;) {
      offset = this.plainEnd(offset);
      if (offset >= length) return this.fail(length, 'it ends inside a string');
      const byte = body[offset];
      if (byte === QUOTE) {
        this.end = offset;
        this.at = offset + 1;
        return true;
      }
      if (byte !== BACKSLASH) return this.fail(offset, 'a control character stands unescaped in a string');
      this.escaped = true;
      const escapeBytes = this.escapeBytes(offset);
      if (escapeBytes === 0) return this.fail(offset, 'an escape in a string is wrong');
      offset += escapeBytes;
    }
  }

  /** Offset of the first byte from `offset` on that is a quote, a backslash or a control character; `length` if none. */
  private plainEnd(offset: number): number {
    const { body, length } = this;
    const shortEnd = offset + SHORT_STRING_BYTES < length ? offset + SHORT_STRING_BYTES : length;
    for (; offset < shortEnd; offset++) {
      const byte = body[offset] as number;
      if (byte < FIRST_PRINTABLE || byte === QUOTE || byte === BACKSLASH) return offset;
    }
    offset = this.plainWordsEnd(offset);
    for (; offset < length; offset++) {
      const byte = body[offset] as number;
      if (byte < FIRST_PRINTABLE || byte === QUOTE || byte === BACKSLASH) return offset;
    }
    return length;
  }

  /** Skips to the first aligned byte, then whole words of four plain bytes; what stands there is still to be looked at. */
  private plainWordsEnd(offset: number): number {
    const { body, length } = this;
    for (; offset < length && ((offset - this.firstWordAt) & 3) !== 0; offset++) {
      const byte = body[offset] as number;
      if (byte < FIRST_PRINTABLE || byte === QUOTE || byte === BACKSLASH) return offset;
    }
    const words = (this.words ??= this.viewWords());
    const wordCount = words.length;
    let index = (offset - this.firstWordAt) >> 2;
    for (; index < wordCount; index++) {
      const word = words[index] as number;
      // The high bit of a byte comes out set where that byte is below 0x20, or is 0x22, or is 0x5c; bytes from 0x80 on
      // are part of a character and masked away. A borrow only passes a byte that is itself a hit, so no hit is missed.
      const hits =
        ((word - 0x20202020) | ((word ^ 0x22222222) - 0x01010101) | ((word ^ 0x5c5c5c5c) - 0x01010101)) &
        ~word &
        0x80808080;
      if (hits !== 0) break;
    }
    const wordsEnd = this.firstWordAt + (index << 2);
    return wordsEnd > offset ? wordsEnd : offset;
  }

  private viewWords(): Int32Array {
    const { body, firstWordAt } = this;
    const count = Math.max(0, (this.length - firstWordAt) >> 2);
    return count === 0 ? new Int32Array(0) : new Int32Array(body.buffer, body.byteOffset + firstWordAt, count);
  }

  /** Length of the escape at `offset`; 0 when it is none. */
  private escapeBytes(offset: number): number {
    const { body, length } = this;
    if (offset + 1 >= length) return 0;
    const byte = body[offset + 1] as number;
    if (SIMPLE_ESCAPE[byte] === 1) return 2;
    if (byte !== 0x75 || offset + 5 >= length) return 0;
    for (let digit = offset + 2; digit < offset + 6; digit++) {
      if (HEX_DIGIT[body[digit] as number] !== 1) return 0;
    }
    return 6;
  }

  /** Reads a number whose first byte, a digit or a minus, stands at `at`. */
  number(): boolean {
    const { body, length } = this;
    let offset = this.at;
    if (body[offset] === 0x2d) offset++;
    const integerAt = offset;
    offset = this.digitsEnd(offset);
    if (offset === integerAt || (offset > integerAt + 1 && body[integerAt] === 0x30)) return this.badNumber(offset);
    if (offset < length && body[offset] === 0x2e) {
      const fractionAt = offset + 1;
      offset = this.digitsEnd(fractionAt);
      if (offset === fractionAt) return this.badNumber(offset);
    }
    if (offset < length && ((body[offset] as number) | 0x20) === 0x65) {
      offset++;
      if (offset < length && (body[offset] === 0x2b || body[offset] === 0x2d)) offset++;
      const exponentAt = offset;
      offset = this.digitsEnd(exponentAt);
      if (offset === exponentAt) return this.badNumber(offset);
    }
    this.at = offset;
    return true;
  }

  private digitsEnd(offset: number): number {
    const { body, length } = this;
    while (offset < length) {
      const byte = body[offset] as number;
      if (byte < 0x30 || byte > 0x39) break;
      offset++;
    }
    return offset;
  }

  private badNumber(offset: number): boolean {
    return this.fail(offset, 'a number is written wrongly');
  }

  /** Reads `true`, `false` or `null`; its first letter stands at `at`. */
  literal(): boolean {
    const { body, at } = this;
    const word = body[at] === 0x74 ? TRUE : body[at] === 0x66 ? FALSE : NULL_WORD;
    for (let index = 1; index < word.length; index++) {
      if (at + index >= this.length || body[at + index] !== word[index]) {
        return this.fail(at, 'a word is neither true nor false nor null');
      }
    }
    this.at = at + word.length;
    return true;
  }

  /** What stands at `at` is not what must stand there. */
  unexpected(expected: string): false {
    return this.fail(this.at, this.at >= this.length ? `it ends where ${expected} is expected` : `${expected} is expected`);
  }


  fail(offset: number, trouble: string): false {
    this.trouble = trouble;
    this.troubleAt = offset;
    return false;
  }
}

function bytesOf(characters: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const character of characters) table[character.charCodeAt(0)] = 1;
  return table;
}
