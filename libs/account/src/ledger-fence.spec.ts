import { beforeEach, describe, expect, it } from '@jest/globals';
import { LedgerFence } from './ledger-fence.js';

/** The way of a charge as numbers: what the usage log, billing, the charge log and the ledger have of it. */
class Pipeline {
  nowMs = 0;
  recorded = 0;
  rated = 0;
  published = 0;
  posted = 0;
  readonly asked: string[] = [];
  readonly waits: number[] = [];
  /** Time that each wait takes. */
  waitMs = 0;

  readonly watermarks = {
    usageEnd: async () => this.note('usage end', this.recorded),
    usagePassed: async (offset: number, deadlineMs: number) => this.wait('rated', deadlineMs, () => this.rated >= offset),
    chargesEnd: async () => this.note('charges end', this.published),
    chargesPassed: async (offset: number, deadlineMs: number) => this.wait('posted', deadlineMs, () => this.posted >= offset),
  };

  readonly outbox = { publishedSoFar: async (deadlineMs: number) => this.wait('published', deadlineMs, () => this.published >= this.rated) };

  private note(what: string, offset: number): number {
    this.asked.push(what);
    return offset;
  }

  private wait(what: string, deadlineMs: number, done: () => boolean): boolean {
    this.asked.push(what);
    this.waits.push(deadlineMs);
    this.nowMs += this.waitMs;
    return done();
  }
}

let pipeline: Pipeline;
let fence: LedgerFence<number>;

beforeEach(() => {
  pipeline = new Pipeline();
  fence = new LedgerFence({ watermarks: pipeline.watermarks, outbox: pipeline.outbox, now: () => pipeline.nowMs });
});

describe('the fence', () => {
  it('is passed when everything is done, having looked in the order in which a charge travels', async () => {
    expect(await fence.pass(5_000)).toEqual({ passed: true });
    expect(pipeline.asked).toEqual(['usage end', 'rated', 'published', 'charges end', 'posted']);
  });

  it.each([
    [{ recorded: 5 }, 'billing, to rate what the gateways have recorded'],
    [{ recorded: 5, rated: 5 }, 'billing, to publish what it has rated'],
    [{ recorded: 5, rated: 5, published: 5 }, 'the ledger, to post what billing has published'],
  ])('waits for each part of the way, and says for which: %j', async (state, waitingFor) => {
    Object.assign(pipeline, state);
    expect(await fence.pass(5_000)).toEqual({ passed: false, waitingFor });
  });

  it('takes the end of the charges only behind the outbox: a charge that was still in it must be posted too', async () => {
    Object.assign(pipeline, { recorded: 5, rated: 5, published: 3, posted: 3 });
    expect(await fence.pass(5_000)).toMatchObject({ passed: false });
    pipeline.published = 5;
    // The ledger has posted what the log held at first, and not yet the rest of the outbox.
    expect(await fence.pass(5_000)).toEqual({ passed: false, waitingFor: 'the ledger, to post what billing has published' });
    pipeline.posted = 5;
    expect(await fence.pass(5_000)).toEqual({ passed: true });
  });

  it('gives all its waits together the time of the caller', async () => {
    pipeline.waitMs = 2_000;
    expect(await fence.pass(5_000)).toEqual({ passed: true });
    expect(pipeline.waits).toEqual([5_000, 3_000, 1_000]);
    pipeline.waits.length = 0;
    expect(await fence.pass(1_000)).toEqual({ passed: true });
    expect(pipeline.waits).toEqual([1_000, 0, 0]);
  });

  it('begins anew with each call', async () => {
    await fence.pass(5_000);
    pipeline.recorded = 7;
    expect(await fence.pass(5_000)).toMatchObject({ passed: false });
  });

  it('fails when a part cannot be asked', async () => {
    const broken = new LedgerFence<number>({ watermarks: { ...pipeline.watermarks, usageEnd: () => Promise.reject(new Error('no broker')) }, outbox: pipeline.outbox, now: () => 0 });
    await expect(broken.pass(100)).rejects.toThrow('no broker');
  });
});
