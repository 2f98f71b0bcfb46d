/**
 * The key that a request carries. The first header present decides: `Authorization`, `x-api-key`, `x-goog-api-key`;
 * a bad one is refused even if a good one stands beside it. `undefined`: no key header at all; '' : one that holds no key.
 */
export function readCredential(rawHeaders: readonly string[]): string | undefined {
  let authorization: string | undefined;
  let apiKey: string | undefined;
  let googleKey: string | undefined;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const length = name.length;
    if (length !== 13 && length !== 9 && length !== 14) continue;
    const lower = name.toLowerCase();
    if (lower === 'authorization') authorization ??= rawHeaders[index + 1];
    else if (lower === 'x-api-key') apiKey ??= rawHeaders[index + 1];
    else if (lower === 'x-goog-api-key') googleKey ??= rawHeaders[index + 1];
  }
  if (authorization !== undefined) return /^bearer +(\S+) *$/i.exec(authorization.slice(0, 512))?.[1] ?? '';
  return apiKey ?? googleKey;
}
