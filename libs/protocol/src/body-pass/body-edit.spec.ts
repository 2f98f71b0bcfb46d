import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Dialect } from '../dialect.js';
import { editBody, type BodyEdits } from './body-edit.js';
import { passBody } from './body-pass.js';

function edited(dialect: Dialect, text: string, edits: BodyEdits): string {
  const body = Buffer.from(text);
  const { facts, fault } = passBody(dialect, body);
  if (fault) throw new Error(fault.message);
  return Buffer.concat(editBody(body, facts, edits)).toString();
}

type Row = [dialect: Dialect, body: string, edits: BodyEdits, result: string];

describe('body edit', () => {
  const usage: BodyEdits = { includeUsage: true };
  const gemini: BodyEdits = { outputLimit: { name: 'maxOutputTokens', tokens: 5 } };
  const rows: Row[] = [
    ['openai-chat', '{"model" : "m" ,"messages":[]}', { model: 'a"ü' }, '{"model" : "a\\"ü" ,"messages":[]}'],
    ['openai-chat', '{"model":"m","messages":[]}', usage, '{"stream_options":{"include_usage":true},"model":"m","messages":[]}'],
    ['openai-chat', '{"model":"m","messages":[],"stream_options":null}', usage, '{"model":"m","messages":[],"stream_options":{"include_usage":true}}'],
    ['openai-chat', '{"model":"m","messages":[],"stream_options":{ }}', usage, '{"model":"m","messages":[],"stream_options":{"include_usage":true }}'],
    ['openai-chat', '{"model":"m","messages":[],"stream_options":{"x":1}}', usage, '{"model":"m","messages":[],"stream_options":{"include_usage":true,"x":1}}'],
    ['openai-chat', '{"model":"m","messages":[],"stream_options":{"include_usage": false}}', usage, '{"model":"m","messages":[],"stream_options":{"include_usage": true}}'],
    ['openai-chat', '{"model":"m","messages":[],"stream_options":{"include_usage":null}}', usage, '{"model":"m","messages":[],"stream_options":{"include_usage":true}}'],
    ['openai-chat', '{"model":"m","messages":[],"stream_options":{"include_usage":true}}', usage, '{"model":"m","messages":[],"stream_options":{"include_usage":true}}'],
    [
      'openai-chat',
      '{"model":"m","messages":[],"stream":true}',
      { includeUsage: true, removeStream: true, outputLimit: { name: 'max_completion_tokens', tokens: 9 } },
      '{"stream_options":{"include_usage":true},"max_completion_tokens":9,"model":"m","messages":[]}',
    ],
    ['openai-chat', '{"max_tokens":null,"model":"m","messages":[]}', { outputLimit: { name: 'max_tokens', tokens: 9 } }, '{"max_tokens":9,"model":"m","messages":[]}'],
    ['openai-chat', '{"max_tokens":5,"model":"m","messages":[]}', { outputLimit: { name: 'max_tokens', tokens: 9 } }, '{"max_tokens":9,"model":"m","messages":[]}'],
    ['gemini-content', '{"contents":[]}', { model: 'm', removeStream: true }, '{"contents":[]}'],
    ['gemini-content', '{"stream":true,"contents":[]}', { removeStream: true, ...gemini }, '{"generationConfig":{"maxOutputTokens":5},"contents":[]}'],
    ['gemini-content', '{ "stream" : true , "contents":[]}', { removeStream: true }, '{  "contents":[]}'],
    ['gemini-content', '{"contents":[],"generationConfig":null}', gemini, '{"contents":[],"generationConfig":{"maxOutputTokens":5}}'],
    ['gemini-content', '{"contents":[],"generation_config":{}}', gemini, '{"contents":[],"generation_config":{"maxOutputTokens":5}}'],
    ['gemini-content', '{"contents":[],"generationConfig":{"n":1}}', gemini, '{"contents":[],"generationConfig":{"maxOutputTokens":5,"n":1}}'],
    ['gemini-content', '{"contents":[],"generationConfig":{"max_output_tokens":null}}', gemini, '{"contents":[],"generationConfig":{"max_output_tokens":5}}'],
  ];

  it.each(rows)('%s %s with %j', (dialect, body, edits, result) => {
    expect(edited(dialect, body, edits)).toBe(result);
  });

  it('hands the body back uncopied when there is nothing to edit', () => {
    const body = Buffer.from('{"model":"m","messages":[]}');
    const { facts } = passBody('openai-chat', body);
    const slices = editBody(body, facts as NonNullable<typeof facts>, {});
    expect(slices).toEqual([body]);
    expect(slices[0]?.buffer).toBe(body.buffer);
  });
});

/** A JSON text of the members in the given order, with white space wherever it may stand. */
function spaced(value: unknown, space: () => string): string {
  if (value === null || typeof value !== 'object') return space() + JSON.stringify(value) + space();
  const parts = Array.isArray(value)
    ? value.map((element) => spaced(element, space))
    : Object.entries(value).map(([name, member]) => `${space()}${JSON.stringify(name)}${space()}:${spaced(member, space)}`);
  const inside = parts.length === 0 ? space() : parts.join(',');
  return Array.isArray(value) ? `${space()}[${inside}]${space()}` : `${space()}{${inside}}${space()}`;
}

const decoy = fc.constantFrom<Record<string, unknown>>({}, { stream: true }, { model: 'd', stream_options: { n: [1, { a: 'ü"\\' }] } });
const limit = fc.option(fc.integer({ min: 1, max: 1e6 }));

const chatBody = fc.record(
  {
    model: fc.string({ minLength: 1, maxLength: 20 }),
    messages: fc.array(fc.record({ content: fc.string(), stream: fc.boolean(), n: fc.json() })),
    stream: fc.option(fc.boolean()),
    stream_options: fc.option(fc.record({ include_usage: fc.option(fc.boolean()), extra: decoy }, { requiredKeys: [] })),
    max_tokens: limit,
    max_completion_tokens: limit,
    metadata: decoy,
    ü: decoy,
  },
  { requiredKeys: ['model', 'messages'] },
);

const geminiBody = fc.record(
  {
    contents: fc.array(fc.record({ stream: fc.boolean(), parts: fc.array(fc.record({ text: fc.string() })) })),
    stream: fc.option(fc.boolean()),
    generationConfig: fc.option(fc.record({ maxOutputTokens: limit, extra: decoy }, { requiredKeys: [] })),
    labels: decoy,
  },
  { requiredKeys: ['contents'] },
);

/** The same body with its members in another order. */
const reordered = <T extends object>(bodies: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  bodies.chain((body) =>
    fc.shuffledSubarray(Object.keys(body), { minLength: Object.keys(body).length }).map(
      (names) => Object.fromEntries(names.map((name) => [name, body[name as keyof T]])) as T,
    ),
  );

const spaces = fc.infiniteStream(fc.constantFrom('', '', ' ', '\n', '\t\r '));

/** What an edit may take away: a value that it replaces, the member `stream` with one comma, or the one right before the other. */
const REPLACED = /^("(\\.|[^"\\])*"|null|false|\d+)?(,?\s*"stream"\s*:\s*(true|false|null)\s*,?)?$/;

/** The pieces of the old body that are not among the slices, which must be in order. */
function droppedPieces(body: Buffer, slices: Buffer[]): string[] {
  const pieces: string[] = [];
  let from = 0;
  for (const slice of slices) {
    const at = slice.byteOffset - body.byteOffset;
    if (slice.buffer !== body.buffer || at < 0 || at >= body.length) continue;
    expect(at).toBeGreaterThanOrEqual(from);
    if (at > from) pieces.push(body.subarray(from, at).toString());
    from = at + slice.length;
  }
  if (from < body.length) pieces.push(body.subarray(from).toString());
  return pieces;
}

function check(dialect: Dialect, body: Buffer, change: { edits: BodyEdits; intended: Record<string, unknown> }): void {
  const { facts, fault } = passBody(dialect, body);
  if (fault) throw new Error(fault.message);
  const slices = editBody(body, facts, change.edits);
  const text = Buffer.concat(slices);
  expect(JSON.parse(text.toString())).toEqual(change.intended);
  for (const piece of droppedPieces(body, slices)) expect(piece).toMatch(REPLACED);
  // What the edit gives is accepted again: in particular no name stands there twice.
  expect(passBody(dialect, text).fault).toBeUndefined();
}

describe('body edit: exactly the intended change, whatever the body', () => {
  const limitName = fc.constantFrom('max_tokens' as const, 'max_completion_tokens' as const);
  const chatEdits = fc.record(
    {
      model: fc.string({ minLength: 1 }),
      includeUsage: fc.constant(true as const),
      removeStream: fc.constant(true as const),
      outputLimit: fc.record({ name: limitName, tokens: fc.integer({ min: 1, max: 9999 }) }),
    },
    { requiredKeys: [] },
  );

  it('in an OpenAI chat body', () => {
    fc.assert(
      fc.property(reordered(chatBody), chatEdits, spaces, (before, edits, space) => {
        const intended: Record<string, unknown> = { ...before };
        if (edits.model !== undefined) intended['model'] = edits.model;
        if (edits.includeUsage) intended['stream_options'] = { ...before.stream_options, include_usage: true };
        if (edits.removeStream) delete intended['stream'];
        for (const name of limitNamesIn(before, edits.outputLimit?.name)) intended[name] = edits.outputLimit?.tokens;
        check('openai-chat', Buffer.from(spaced(before, () => space.next().value as string)), { edits, intended });
      }),
      { numRuns: 1500 },
    );
  });

  it('in a Gemini body', () => {
    fc.assert(
      fc.property(reordered(geminiBody), fc.boolean(), fc.option(fc.nat(9999)), spaces, (before, removeStream, tokens, space) => {
        const edits: BodyEdits = {};
        const intended: Record<string, unknown> = { ...before };
        if (removeStream) {
          edits.removeStream = true;
          delete intended['stream'];
        }
        if (tokens !== null) {
          edits.outputLimit = { name: 'maxOutputTokens', tokens: tokens + 1 };
          intended['generationConfig'] = { ...before.generationConfig, maxOutputTokens: tokens + 1 };
        }
        check('gemini-content', Buffer.from(spaced(before, () => space.next().value as string)), { edits, intended });
      }),
      { numRuns: 1500 },
    );
  });
});

/** OpenAI has two names for one limit, of which it takes one: those that a body has, else the newer one. */
function limitNamesIn(body: object, name: string | undefined): string[] {
  if (name !== 'max_completion_tokens') return name === undefined ? [] : [name];
  const present = [name, 'max_tokens'].filter((each) => each in body);
  return present.length > 0 ? present : [name];
}
