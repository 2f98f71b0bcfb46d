import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Lifeline } from './lifeline.js';

describe('lifeline', () => {
  const exit = jest.fn();
  beforeEach(() => {
    jest.useFakeTimers();
    exit.mockClear();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('lives as long as the parent does', () => {
    new Lifeline(1000, exit).renew();
    jest.advanceTimersByTime(100_000);
    expect(exit).not.toHaveBeenCalled();
  });

  it('ends once the parent has been gone for that long', () => {
    new Lifeline(1000, exit).orphaned();
    jest.advanceTimersByTime(999);
    expect(exit).not.toHaveBeenCalled();
    jest.advanceTimersByTime(1);
    expect(exit).toHaveBeenCalledTimes(1);
  });

  it('counts anew at each renewal, and not at a second report of the same loss', () => {
    const lifeline = new Lifeline(1000, exit);
    lifeline.orphaned();
    jest.advanceTimersByTime(900);
    lifeline.renew();
    lifeline.orphaned();
    jest.advanceTimersByTime(900);
    expect(exit).not.toHaveBeenCalled();
    jest.advanceTimersByTime(100);
    expect(exit).toHaveBeenCalledTimes(1);
  });
});
