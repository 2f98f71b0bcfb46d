import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { IdleWatch } from './idle-watch.js';

let watch: IdleWatch;
let silent: string[];

beforeEach(() => {
  jest.useFakeTimers();
  watch = new IdleWatch();
  silent = [];
});

afterEach(() => {
  watch.close();
  jest.useRealTimers();
});

function item(name: string) {
  return { slot: -1, silentAtTick: 0, timedOut: () => void silent.push(name) };
}

describe('a watched item', () => {
  it('times out once, not before its time and at most two ticks behind it', () => {
    watch.add(item('a'), 1_000);
    jest.advanceTimersByTime(1_000);
    expect(silent).toEqual([]);
    jest.advanceTimersByTime(500);
    expect(silent).toEqual(['a']);
    jest.advanceTimersByTime(10_000);
    expect(silent).toEqual(['a']);
  });

  it('has all its time again when it shows life', () => {
    const one = item('a');
    watch.add(one, 1_000);
    jest.advanceTimersByTime(900);
    watch.touch(one, 1_000);
    jest.advanceTimersByTime(1_000);
    expect(silent).toEqual([]);
    jest.advanceTimersByTime(500);
    expect(silent).toEqual(['a']);
  });

  it('has no deadline while it is suspended', () => {
    const one = item('a');
    watch.add(one, 1_000);
    watch.suspend(one);
    jest.advanceTimersByTime(60_000);
    expect(silent).toEqual([]);
    watch.touch(one, 1_000);
    jest.advanceTimersByTime(1_500);
    expect(silent).toEqual(['a']);
  });

  it('is forgotten when it is deleted, and the others are not', () => {
    const one = item('a');
    watch.add(one, 1_000);
    watch.add(item('b'), 2_000);
    watch.delete(one);
    jest.advanceTimersByTime(2_500);
    expect(silent).toEqual(['b']);
  });
});

it('keeps no timer while nothing is watched', () => {
  const one = item('a');
  watch.add(one, 1_000);
  watch.delete(one);
  jest.advanceTimersByTime(250);
  expect(jest.getTimerCount()).toBe(0);
  watch.add(item('b'), 100);
  jest.advanceTimersByTime(1_000);
  expect(silent).toEqual(['b']);
});
