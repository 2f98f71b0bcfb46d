import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { GroupRecord } from '@tokone/account-client';
import { silentLogger } from '@tokone/telemetry';
import { GroupCache } from './group-cache.js';

let sold: string[];
let waits: (() => void)[];
let held: boolean;
let failure: Error | undefined;
let cache: GroupCache;

beforeEach(() => {
  sold = ['first'];
  waits = [];
  held = false;
  failure = undefined;
  const groups = async (): Promise<GroupRecord[]> => {
    const answer = sold.map((name) => ({ groupId: name, name, platform: 'openai' as const, models: undefined }));
    if (held) await new Promise<void>((resolve) => waits.push(resolve));
    if (failure) throw failure;
    return answer;
  };
  cache = new GroupCache({ groups, findKey: async () => undefined }, silentLogger);
});
afterEach(() => cache.stop());

const names = (): string[] => cache.current().map(({ name }) => name);

describe('the groups of a gateway', () => {
  it('are read at the start, which fails when they cannot be', async () => {
    failure = new Error('no database');
    await expect(cache.start()).rejects.toThrow('no database');
    failure = undefined;
    await cache.start();
    expect(names()).toEqual(['first']);
  });

  it('are read again when they have changed', async () => {
    await cache.start();
    sold = ['first', 'second'];
    await cache.refreshNow();
    expect(names()).toEqual(['first', 'second']);
  });

  it('stay as they were while they cannot be read', async () => {
    await cache.start();
    failure = new Error('no database');
    await cache.refreshNow();
    expect(names()).toEqual(['first']);
  });

  it('are those after the last change, although an answer from before it is still on its way', async () => {
    await cache.start();
    held = true;
    const early = cache.refreshNow();
    sold = ['second'];
    const late = cache.refreshNow();
    held = false;
    // The newest first, if there should be more than one on its way.
    waits.reverse().forEach((answer) => answer());
    await Promise.all([early, late]);
    expect(names()).toEqual(['second']);
  });

  it('are read again by each call, the one right behind a reading too', async () => {
    await cache.start();
    for (let round = 0; round < 20; round += 1) {
      sold = [`round ${round}`];
      await cache.refreshNow();
      expect(names()).toEqual([`round ${round}`]);
    }
  });
});
