const BACKSLASH = 0x5c;
const LETTER_U = 0x75;

/** The content of a JSON string, without its quotes, which the scanner has found valid. */
export interface StringContent {
  start: number;
  end: number;
  escaped: boolean;
}

/** What a byte after a backslash stands for. */
const SIMPLE_ESCAPES: Uint8Array = simpleEscapes();

/** The text of a JSON string. It is a copy and does not keep the body alive. */
export function decodeText(body: Buffer, content: StringContent): string {
  const raw = body.toString('utf8', content.start, content.end);
  return content.escaped ? (JSON.parse(`"${raw}"`) as string) : raw;
}

/**
 * Writes the characters of a JSON string, unescaped, into `into`, up to its length or to the first character that is
 * not ASCII (which is written as 0xff). Answers how many it has written. It makes no string, because a hostile body may
 * be full of escaped names, and strings of base64 are long.
 */
export function decodeAscii(body: Buffer, content: StringContent, into: Uint8Array): number {
  let offset = content.start;
  let count = 0;
  while (offset < content.end && count < into.length) {
    let code = body[offset] as number;
    if (code !== BACKSLASH) {
      offset += 1;
    } else if (body[offset + 1] === LETTER_U) {
      code = 0;
      for (let digit = offset + 2; digit < offset + 6; digit++) code = code * 16 + hexValue(body[digit] as number);
      offset += 6;
    } else {
      code = SIMPLE_ESCAPES[body[offset + 1] as number] as number;
      offset += 2;
    }
    into[count++] = code < 0x80 ? code : 0xff;
    if (code >= 0x80) break;
  }
  return count;
}

const PREFIX_ROOM = new Uint8Array(16);

/** Whether a JSON string begins with `prefix` (lower-case ASCII, at most 16 characters), in any letter case. */
export function beginsWith(body: Buffer, content: StringContent, prefix: string): boolean {
  if (decodeAscii(body, content, PREFIX_ROOM) < prefix.length) return false;
  for (let index = 0; index < prefix.length; index++) {
    let code = PREFIX_ROOM[index] as number;
    if (code >= 0x41 && code <= 0x5a) code += 0x20;
    if (code !== prefix.charCodeAt(index)) return false;
  }
  return true;
}

function hexValue(digit: number): number {
  return digit <= 0x39 ? digit - 0x30 : (digit | 0x20) - 0x57;
}

function simpleEscapes(): Uint8Array {
  const table = new Uint8Array(256);
  for (const [letter, character] of ['""', '\\\\', '//', 'b\b', 'f\f', 'n\n', 'r\r', 't\t']) {
    table[(letter as string).charCodeAt(0)] = (character as string).charCodeAt(0);
  }
  return table;
}
