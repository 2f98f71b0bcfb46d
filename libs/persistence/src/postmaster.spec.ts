import { describe, expect, it } from '@jest/globals';
import { lastComplaint } from './postgres-cluster.js';
import { readPostmasterFile } from './postmaster.js';

describe('readPostmasterFile', () => {
  it.each([
    ['a server that is ready', '4711\n/data/cluster\n1790000000\n5432\n\n127.0.0.1\n 123 4\nready   \n', { processId: 4711, status: 'ready' }],
    ['a server that has not come so far', '4711\n/data/cluster\n1790000000\n5432\n\n', { processId: 4711, status: undefined }],
    ['an empty file', '', undefined],
    ['a negative id, as a standalone backend writes', '-4711\n/data/cluster\n', undefined],
    ['anything else', 'hello\n', undefined],
  ])('reads %s', (_title, text, expected) => {
    expect(readPostmasterFile(text)).toEqual(expected);
  });
});

describe('lastComplaint', () => {
  it.each([
    ['the last fatal line', 'LOG:  a\nFATAL:  b\nLOG:  c\n', 'FATAL:  b'],
    ['else the last line', 'a\n b \n\n', 'b'],
    ['or that there is none', '', '(nothing)'],
  ])('finds %s', (_title, output, complaint) => {
    expect(lastComplaint(output)).toBe(complaint);
  });
});
