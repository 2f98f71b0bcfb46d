const DIGIT_OF_CODE = new Uint8Array(128).fill(255);
for (let digit = 0; digit < 16; digit++) DIGIT_OF_CODE['0123456789abcdef'.charCodeAt(digit)] = digit;
const HYPHEN = 45;
/** Where each of the sixteen bytes has its first digit. */
const PLACES = Uint8Array.of(0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34);

/** Writes a lower-case UUID as sixteen bytes; false when `id` is none (upper case would come back as another string). */
export function writeUuid(id: string, bytes: Uint8Array, offset: number): boolean {
  if (id.length !== 36) return false;
  let wrong = 0;
  for (let index = 0; index < 16; index++) {
    const place = PLACES[index]!;
    const high = id.charCodeAt(place);
    const low = id.charCodeAt(place + 1);
    const highDigit = DIGIT_OF_CODE[high & 127]!;
    const lowDigit = DIGIT_OF_CODE[low & 127]!;
    wrong |= ((high | low) & ~127) | ((highDigit | lowDigit) & 0xf0);
    bytes[offset + index] = (highDigit << 4) | lowDigit;
  }
  for (const place of [8, 13, 18, 23]) wrong |= id.charCodeAt(place) ^ HYPHEN;
  return wrong === 0;
}
