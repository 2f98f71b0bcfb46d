import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Slots } from './slots.js';

function member(name: string) {
  return { slot: -1, name };
}

describe('slots', () => {
  it('hold what a Set would hold, whatever comes and goes', () => {
    const step = fc.record({ index: fc.nat({ max: 9 }), adds: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const slots = new Slots<ReturnType<typeof member>>();
        const expected = new Set<ReturnType<typeof member>>();
        const members = Array.from({ length: 10 }, (_, index) => member(String(index)));
        for (const { index, adds } of steps) {
          const one = members[index]!;
          if (!adds) slots.delete(one);
          else if (!expected.has(one)) slots.add(one);
          if (adds) expected.add(one);
          else expected.delete(one);
        }
        expect(slots.size).toBe(expected.size);
        expect(new Set(slots)).toEqual(expected);
      }),
    );
  });

  it('take no more places than were ever taken at a time', () => {
    const slots = new Slots();
    for (let round = 0; round < 100; round++) {
      const pair = [member('a'), member('b')];
      for (const one of pair) slots.add(one);
      expect(Math.max(...pair.map(({ slot }) => slot))).toBe(1);
      for (const one of pair) slots.delete(one);
    }
  });

  it('do not give the place of another away when one is deleted twice', () => {
    const slots = new Slots<ReturnType<typeof member>>();
    const [first, second] = [member('a'), member('b')];
    slots.add(first);
    slots.delete(first);
    slots.add(second);
    slots.delete(first);
    expect([...slots]).toEqual([second]);
  });

  it('may be emptied while they are visited', () => {
    const slots = new Slots<ReturnType<typeof member>>();
    for (const name of ['a', 'b', 'c']) slots.add(member(name));
    for (const one of slots) slots.delete(one);
    expect([slots.size, [...slots]]).toEqual([0, []]);
  });
});
