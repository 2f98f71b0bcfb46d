/** Characters of JSON by code. */
export const CODE = {
  quote: 34,
  comma: 44,
  colon: 58,
  openList: 91,
  backslash: 92,
  closeList: 93,
  letterF: 102,
  letterN: 110,
  letterU: 117,
  openObject: 123,
  closeObject: 125,
} as const;

/** A member name without its escapes; empty when it is not valid JSON. */
export function unescapeName(raw: string): string {
  try {
    return JSON.parse(`"${raw}"`) as string;
  } catch {
    return '';
  }
}

/** Numbers, `true`, `false`, `null`; anything else that looks like a word passes too. */
export function isScalarCode(code: number): boolean {
  return (
    (code >= 48 && code <= 57) ||
    (code >= 97 && code <= 122) ||
    code === 45 ||
    code === 46 ||
    code === 43 ||
    code === 69
  );
}

export function hexadecimalDigit(code: number): number {
  return code <= 57 ? (code - 48) & 15 : ((code | 32) - 87) & 15;
}

/** Bytes of one UTF-16 unit in UTF-8; a surrogate counts as half of its pair's four. */
export function utf8Bytes(unit: number): number {
  if (unit < 0x80) {
    return 1;
  }
  return unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 2 : 3;
}
