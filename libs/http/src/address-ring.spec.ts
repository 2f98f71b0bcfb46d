import { describe, expect, it } from '@jest/globals';
import { AddressRing } from './address-ring.js';

describe('the replicas of a service', () => {
  it('are tried in turn, each request all of them once', () => {
    const ring = new AddressRing(['a', 'b', 'c'], () => 0);
    expect([ring.order(), ring.order(), ring.order(), ring.order()].map((order) => order.join(''))).toEqual(['abc', 'bca', 'cab', 'abc']);
  });

  it('are asked after the others for 5 s when they failed, and even then when no other is left', () => {
    let nowMs = 1_000;
    const ring = new AddressRing(['a', 'b', 'c'], () => nowMs);
    ring.rest('a');
    ring.rest('elsewhere');
    expect([ring.order(), ring.order(), ring.order()].map((order) => order.join(''))).toEqual(['bca', 'bca', 'cba']);
    ring.rest('b');
    ring.rest('c');
    nowMs = 5_999;
    expect(ring.order().join('')).toBe('abc');
    nowMs = 6_000;
    expect([ring.order(), ring.order()].map((order) => order.join(''))).toEqual(['bca', 'cab']);
  });

  it('of one address are always that one', () => {
    const ring = new AddressRing(['a'], () => 0);
    ring.rest('a');
    expect([ring.order(), ring.order()]).toEqual([['a'], ['a']]);
  });
});
