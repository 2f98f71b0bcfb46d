import { decodeAscii, type StringContent } from './json-text.js';

interface Entry<T> {
  bytes: Uint8Array;
  value: T;
}

/** Looks up known names (ASCII) by the bytes of a JSON string, unescaped where need be, without making a string. */
export class NameTable<T> {
  private readonly byLength: (Entry<T>[] | undefined)[] = [];
  /** Room for an escaped name and one character more, which tells that it is too long. */
  private readonly unescaped: Uint8Array;

  constructor(entries: readonly (readonly [name: string, value: T])[]) {
    const longest = Math.max(0, ...entries.map(([name]) => name.length));
    for (let length = 0; length <= longest; length++) this.byLength.push(undefined);
    for (const [name, value] of entries) {
      (this.byLength[name.length] ??= []).push({ bytes: new Uint8Array(Buffer.from(name, 'latin1')), value });
    }
    this.unescaped = new Uint8Array(longest + 1);
  }

  find(body: Buffer, content: StringContent): T | undefined {
    if (!content.escaped) return this.findBytes(body, content.start, content.end - content.start);
    return this.findBytes(this.unescaped, 0, decodeAscii(body, content, this.unescaped));
  }

  private findBytes(text: Uint8Array, start: number, length: number): T | undefined {
    const candidates = length < this.byLength.length ? this.byLength[length] : undefined;
    if (candidates === undefined) return undefined;
    for (let index = 0; index < candidates.length; index++) {
      const candidate = candidates[index] as Entry<T>;
      if (isAt(candidate.bytes, text, start)) return candidate.value;
    }
    return undefined;
  }
}

function isAt(name: Uint8Array, text: Uint8Array, start: number): boolean {
  for (let index = 0; index < name.length; index++) {
    if (name[index] !== text[start + index]) return false;
  }
  return true;
}
