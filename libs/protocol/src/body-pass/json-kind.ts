/** What stands at a place of a JSON text, as a bit, so that a set of them is a number. */
export const OBJECT = 1;
export const ARRAY = 2;
export const STRING = 4;
export const NUMBER = 8;
export const BOOLEAN = 16;
export const NULL = 32;

/** Kind by first byte; 0 where no JSON value begins with that byte. */
export const KIND_OF_BYTE: Uint8Array = kindsByFirstByte();

function kindsByFirstByte(): Uint8Array {
  const kinds = new Uint8Array(256);
  const give = (characters: string, kind: number): void => {
    for (const character of characters) kinds[character.charCodeAt(0)] = kind;
  };
  give('{', OBJECT);
  give('[', ARRAY);
  give('"', STRING);
  give('-0123456789', NUMBER);
  give('tf', BOOLEAN);
  give('n', NULL);
  return kinds;
}
