import { describe, expect, it } from '@jest/globals';
import type { AdapterFailure, AnswerHead, DispatchHead } from './adapter.js';
import { MAX_HEAD_BYTES, readAnswerHead, readDispatch, readFailure, writeAnswerHead, writeDispatchHead, writeFailure } from './dispatch-wire.js';
import { factsOf } from './fixtures/dispatch-bench.js';

const BODY = Buffer.from('{"model":"m","messages":[],"stream":true,"max_tokens":5}');
const HEAD: DispatchHead = {
  requestId: 'r',
  groupId: 'g',
  dialect: 'openai-chat',
  model: 'mödel',
  streamed: true,
  framing: 'sse',
  headers: ['accept', 'ÿ'],
  facts: factsOf('openai-chat', BODY.toString()),
  outputLimit: undefined,
};

/** Members that are undefined are absent on the wire. */
const onWire = (head: object): object => JSON.parse(JSON.stringify(head)) as object;
const written = (head: object, body = BODY): Buffer => Buffer.concat([writeDispatchHead(head as DispatchHead), body]);

describe('a dispatch', () => {
  it('is read as it was written, its body to the byte', () => {
    for (const head of [HEAD, { ...HEAD, outputLimit: 7, traceparent: '00-01940000000070008000000000000001-8000000000000001-01' }]) {
      const read = readDispatch(written(head));
      expect(read.head).toEqual(onWire(head));
      expect(read.body?.equals(BODY)).toBe(true);
    }
    expect(readDispatch(written({ ...HEAD, dialect: 'gemini-content', facts: factsOf('gemini-content', '{"contents":[]}') }, Buffer.from('{"contents":[]}'))).body?.toString()).toBe('{"contents":[]}');
  });

  it.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['half a length', Buffer.from([0, 0, 1])],
    ['a head that is longer than all', Buffer.from([0, 0, 0, 9, 123, 125])],
    ['a head of 2 GiB', Buffer.from([128, 0, 0, 0, 123, 125])],
    ['a head above its limit', Buffer.concat([Buffer.from([0, 16, 0, 1]), Buffer.alloc(MAX_HEAD_BYTES + 2, ' ')])],
    ['no JSON', Buffer.concat([Buffer.from([0, 0, 0, 2]), Buffer.from('{]')])],
    ['an array', written([])],
    ['null', Buffer.concat([Buffer.from([0, 0, 0, 4]), Buffer.from('null')])],
    ['an HTTP request', Buffer.from('POST / HTTP/1.1\r\n\r\n')],
  ])('that is %s has a fault', (_title, bytes) => {
    expect(readDispatch(bytes)).toEqual({ fault: expect.stringMatching(/\.$|\?$/) });
  });

  it.each<[string, object]>([
    ['no request id', { requestId: undefined }],
    ['a group that is a number', { groupId: 1 }],
    ['a dialect that nobody speaks', { dialect: 'latin' }],
    ['an unknown framing', { framing: 'xml' }],
    ['a text for a choice', { streamed: 'yes' }],
    ['a header without a value', { headers: ['accept'] }],
    ['a header that is a number', { headers: ['accept', 1] }],
    ['half a token as limit', { outputLimit: 1.5 }],
    ['no facts', { facts: null }],
    ['facts without the place of an insertion', { facts: { ...HEAD.facts, insertAt: undefined } }],
    ['a place behind the body', { facts: { ...HEAD.facts, insertAt: BODY.length + 1 } }],
    ['a place in front of the body', { facts: { ...HEAD.facts, generationConfigInsertAt: -1 } }],
    ['a span behind the body', { facts: { ...HEAD.facts, modelSpan: { start: 0, end: BODY.length + 1 } } }],
    ['a span that ends before it starts', { facts: { ...HEAD.facts, maxTokensSpan: { start: 9, end: 8 } } }],
    ['a span that is none', { facts: { ...HEAD.facts, streamMemberSpan: [1, 2] } }],
  ])('with %s has a fault', (_title, change) => {
    expect(readDispatch(written(HEAD)).fault).toBeUndefined();
    expect(readDispatch(written({ ...HEAD, ...change })).fault).toContain('version');
  });
});

describe('the head of an answer', () => {
  const head: AnswerHead = { status: 200, headers: { 'content-type': 'a/b; c="ÿ"' }, dialect: 'anthropic-messages', upstreamId: 'u', upstreamRequestId: undefined, attempts: 3 };

  it('is read as it was written, from letters that a header may hold', () => {
    for (const one of [head, { ...head, upstreamRequestId: 'näme\n' }]) {
      expect(writeAnswerHead(one)).toMatch(/^[\w-]+$/);
      expect(readAnswerHead(writeAnswerHead(one))).toStrictEqual(one);
    }
  });

  it.each<[string, string]>([
    ['nothing', ''],
    ['no base64', '!!!'],
    ['a number', Buffer.from('1').toString('base64url')],
    ['no status', writeAnswerHead({ ...head, status: undefined } as unknown as AnswerHead)],
    ['an unknown dialect', writeAnswerHead({ ...head, dialect: 'latin' } as unknown as AnswerHead)],
    ['no headers', writeAnswerHead({ ...head, headers: undefined } as unknown as AnswerHead)],
  ])('that holds %s is none', (_title, text) => {
    expect(readAnswerHead(text)).toBeUndefined();
  });
});

describe('a failure', () => {
  const failure: AdapterFailure = { code: 'upstream_timeout', sent: true, upstreamId: 'u', cause: new TypeError('it was\n silent') };

  it('is read as it was written, its cause as a short text', () => {
    expect(readFailure(writeFailure(failure))).toStrictEqual({ ...failure, cause: 'TypeError: it was\n silent' });
    expect(readFailure(writeFailure({ ...failure, upstreamId: undefined, cause: undefined }))).toStrictEqual({ ...failure, upstreamId: undefined, cause: undefined });
    expect(readFailure(writeFailure({ ...failure, cause: 'x'.repeat(5_000) }))?.cause).toBe('x'.repeat(300));
  });

  it.each<[string, string]>([
    ['nothing', ''],
    ['an unknown code', writeFailure({ ...failure, code: 'odd' } as unknown as AdapterFailure)],
    ['no word on what was sent', writeFailure({ ...failure, sent: undefined } as unknown as AdapterFailure)],
  ])('that holds %s is none', (_title, text) => {
    expect(readFailure(text)).toBeUndefined();
  });
});
