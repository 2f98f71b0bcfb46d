import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { id, line, name, page, usd, writePage } from './request-schema.js';

describe('what the management API reads', () => {
  it.each([
    ['10', 10_000_000_000n],
    ['0.000000001', 1n],
    ['-1', -1_000_000_000n],
  ])('reads %s USD exactly', (text, nanoUsd) => {
    expect(usd.parse(text)).toBe(nanoUsd);
  });

  it.each([10, '1e3', '', '0.0000000001', '1,5', 'NaN', '99999999999'])('refuses %p as an amount', (text) => {
    expect(usd.safeParse(text).success).toBe(false);
  });

  it('trims names, and refuses empty and long ones and control characters', () => {
    expect(name.parse(' Ada ')).toBe('Ada');
    for (const bad of ['', '   ', 'x'.repeat(101), 'a\nb', 'a\u0000b', 'a\ud800', '\udc00b', 5]) expect(name.safeParse(bad).success).toBe(false);
    expect(name.parse('\ud83d\ude00')).toBe('😀');
    expect(line(3).parse('')).toBe('');
  });

  it('reads ids in any case as one', () => {
    expect(id.parse('01940000-0000-7000-8000-00000000FFFF')).toBe('01940000-0000-7000-8000-00000000ffff');
    expect(id.safeParse("' OR 1=1").success).toBe(false);
  });

  it('bounds a page', () => {
    const query = z.strictObject(page);
    expect(query.parse({})).toEqual({ limit: 100 });
    for (const limit of ['0', '1001', 'x', '1.5']) expect(query.safeParse({ limit }).success).toBe(false);
  });

  it('says where the next page begins, and that there is none', () => {
    expect(writePage([{ id: 'a' }, { id: 'b' }], 2)).toEqual({ items: [{ id: 'a' }, { id: 'b' }], next: 'b' });
    expect(writePage([{ id: 'a' }], 2).next).toBeNull();
    expect(writePage([], 2).next).toBeNull();
  });
});
