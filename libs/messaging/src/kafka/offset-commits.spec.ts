import { describe, expect, it } from '@jest/globals';
import { OffsetCommits } from './offset-commits.js';

describe('OffsetCommits', () => {
  it('tells the last position of each partition that moved, in one request', async () => {
    const told: unknown[] = [];
    const commits = new OffsetCommits(async (offsets) => told.push([...offsets]));
    commits.move(1, 5n);
    commits.move(2, 6n);
    commits.move(1, 9n);
    await commits.flush();
    await commits.flush();
    expect(told).toEqual([
      [
        [1, 9n],
        [2, 6n],
      ],
    ]);
    await commits.close();
  });

  it('tells of nothing that belongs to a former assignment', async () => {
    const told: unknown[] = [];
    const commits = new OffsetCommits(async (offsets) => told.push([...offsets]));
    commits.move(1, 5n);
    commits.forget();
    commits.move(2, 6n);
    await commits.close();
    expect(told).toEqual([[[2, 6n]]]);
  });

  it('goes on after a refusal, and tells nothing after it is closed', async () => {
    const told: unknown[] = [];
    let refusals = 1;
    const commits = new OffsetCommits(async (offsets) => {
      if (refusals-- > 0) throw new Error('rebalancing');
      told.push([...offsets]);
    });
    commits.move(1, 5n);
    await commits.flush();
    commits.move(1, 6n);
    await commits.close();
    commits.move(1, 7n);
    await commits.flush();
    expect(told).toEqual([[[1, 6n]]]);
  });
});
