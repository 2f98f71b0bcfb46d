import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { CAPTURED, captureField, FOUND, jsonTextField, listField, objectField, presentField, textField } from './answer-field.js';
import { CAPTURE_LIMIT_BYTES, JsonWalker } from './json-walker.js';

const TABLE = objectField({
  text: textField(),
  list: listField(objectField({ text: textField(), input: jsonTextField() })),
  usage: captureField(CAPTURED.usage),
  finish: presentField(FOUND.finish),
});

function walk(json: string, cutEveryBytes = Infinity): JsonWalker {
  const walker = new JsonWalker(TABLE);
  const bytes = Buffer.from(json);
  for (let at = 0; at < bytes.length; at += cutEveryBytes) {
    const text = bytes.subarray(at, Math.min(bytes.length, at + cutEveryBytes)).toString('latin1');
    walker.open(text);
    const end = walker.walk(0, text.length);
    if (end < text.length) {
      walker.walk(end, text.length);
    }
  }
  return walker;
}

describe('JsonWalker', () => {
  it('counts the unescaped UTF-8 bytes of the strings that the table names, and of no others', () => {
    const text = 'a"\\\n\u0001é€😀';
    const walker = walk(JSON.stringify({ text, other: { text: 'no' }, list: [{ text }, 'text', { deep: { text } }] }));
    expect(walker.outputTextBytes).toBe(2 * Buffer.byteLength(text));
  });

  it('counts escaped characters as their UTF-8 length', () => {
    const walker = walk('{"text":"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\\n"}');
    expect(walker.outputTextBytes).toBe(Buffer.byteLength('Aé€😀\n'));
  });

  it('counts the JSON text of a value without the white space between its tokens', () => {
    expect(walk('{"list":[{"input": { "a b" : [ 1, "x y" ] } }]}').outputTextBytes).toBe('{"a b":[1,"x y"]}'.length);
  });

  it('knows a name by its meaning, not by its spelling', () => {
    expect(walk('{"te\\u0078t":"abc"}').outputTextBytes).toBe(3);
    expect(walk('{"\\"text":"abc"}').outputTextBytes).toBe(0);
  });

  it.each([['null'], ['""'], ['false']])('does not take %s for a present value', (value) => {
    expect(walk(`{"finish":${value}}`).found).toBe(0);
    expect(walk(`{"finish":"STOP"}`).found).toBe(FOUND.finish);
  });

  it('gives up a capture above its bound and walks on', () => {
    const walker = walk(`{"usage":{"x":"${'y'.repeat(CAPTURE_LIMIT_BYTES)}"},"text":"abc"}`, 1000);
    expect(walker.oversized).toBe(true);
    expect(walker.captured[CAPTURED.usage]).toBeUndefined();
    expect(walker.outputTextBytes).toBe(3);
    expect(walker.closed).toBe(true);
  });

  it('agrees with JSON.parse on documents, in any pieces', () => {
    const anyText = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.tuple(fc.string({ unit: fc.constantFrom('a', ' ', 'é'), minLength: 30 }), fc.string({ unit: 'binary' })).map((two) => two.join('')),
    );
    const value = fc.record({
      text: fc.oneof(anyText, fc.jsonValue()),
      list: fc.array(fc.record({ text: anyText, noise: fc.jsonValue() })),
      usage: fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.constant(null)),
    });
    fc.assert(
      fc.property(value, fc.nat(3), fc.integer({ min: 1, max: 400 }), (document, indent, cutEveryBytes) => {
        const walker = walk(JSON.stringify(document, undefined, indent), cutEveryBytes);
        const texts = [document.text, ...document.list.map((entry) => entry.text)];
        const bytes = texts.map((text) => (typeof text === 'string' ? Buffer.byteLength(JSON.parse(JSON.stringify(text)) as string) : 0));
        expect(walker.closed).toBe(true);
        expect(walker.outputTextBytes).toBe(bytes.reduce((sum, count) => sum + count, 0));
        const usage = walker.captured[CAPTURED.usage];
        expect(usage === undefined ? null : JSON.parse(Buffer.from(usage, 'latin1').toString())).toEqual(
          JSON.parse(JSON.stringify(document.usage)),
        );
      }),
    );
  });

  it.each([
    ['[1,2'], ['{"a":1'], ['{"a":1}}'], ['{"a" 1}'], ['{a:1}'], ['[1 2]'], ['[1,]'], ['{"a":1,}'], ['{"a"}'], ['{]'], ['[}'], ['1'], ['"x"'], [''], ['{"a":}'], ['{}x'], ['{,}'],
  ])('does not take %s for a whole document', (text) => {
    expect(walk(text).closed).toBe(false);
    expect(walk(text, 1).closed).toBe(false);
  });

  it('gives up on absurd depth instead of growing', () => {
    expect(walk('['.repeat(100_000)).broken).toBe(true);
  });
});
