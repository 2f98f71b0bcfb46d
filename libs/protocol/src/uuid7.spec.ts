import { describe, expect, it } from '@jest/globals';
import { Uuid7Source, uuid7Ms } from './uuid7.js';

const UUID7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const NOW_MS = 1_767_225_600_123;

function take(ids: Uuid7Source, count: number): string[] {
  return Array.from({ length: count }, () => ids.next());
}

function expectRising(ids: readonly string[]): void {
  expect([...ids].sort()).toEqual(ids);
  expect(new Set(ids).size).toBe(ids.length);
}

describe('an id', () => {
  it('is a UUID of version 7 that carries its millisecond', () => {
    const id = new Uuid7Source(() => NOW_MS).next();
    expect(id).toMatch(UUID7);
    expect(uuid7Ms(id)).toBe(NOW_MS);
  });

  it.each([0, 1, 2 ** 48 - 1])('is well formed at millisecond %d', (ms) => {
    const id = new Uuid7Source(() => ms).next();
    expect(id).toMatch(UUID7);
    expect(uuid7Ms(id)).toBe(ms);
  });

  it('is greater than the one before, within a millisecond and over milliseconds', () => {
    let ms = NOW_MS;
    const ids = new Uuid7Source(() => Math.floor((ms += 0.01)));
    expectRising(take(ids, 2_000));
  });

  it('rises while the clock steps back', () => {
    let ms = NOW_MS;
    const ids = new Uuid7Source(() => ms);
    const before = take(ids, 3);
    ms -= 3_600_000;
    const behind = take(ids, 3);
    expect(behind.map(uuid7Ms)).toEqual([NOW_MS, NOW_MS, NOW_MS]);
    ms = NOW_MS + 1;
    const after = take(ids, 3);
    expect(after.map(uuid7Ms)).toEqual([NOW_MS + 1, NOW_MS + 1, NOW_MS + 1]);
    expectRising([...before, ...behind, ...after]);
  });

  it('borrows the next millisecond when more are wanted in one than it counts, and catches up', () => {
    let ms = NOW_MS;
    const ids = new Uuid7Source(() => ms);
    const many = take(ids, 3 * 0x1000);
    expect(uuid7Ms(many[0xfff] ?? '')).toBe(NOW_MS);
    expect(uuid7Ms(many[0x1000] ?? '')).toBe(NOW_MS + 1);
    expect(uuid7Ms(many.at(-1) ?? '')).toBe(NOW_MS + 2);
    ms = NOW_MS + 1;
    const next = ids.next();
    expectRising([...many, next]);
    ms = NOW_MS + 100;
    expect(uuid7Ms(ids.next())).toBe(NOW_MS + 100);
  });

  it('differs from those of another process in the same millisecond', () => {
    const all = Array.from({ length: 1_000 }, () => new Uuid7Source(() => NOW_MS).next());
    expect(new Set(all).size).toBe(1_000);
  });
});
