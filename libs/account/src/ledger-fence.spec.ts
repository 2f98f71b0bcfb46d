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

const gateway = { gatewayId: 'g', instanceId: 'first run' };
let pipeline: Pipeline;
let fence: LedgerFence<number>;

beforeEach(() => {
  pipeline = new Pipeline();
  fence = new LedgerFence({ watermarks: pipeline.watermarks, outbox: pipeline.outbox, now: () => pipeline.nowMs });
});

describe('the fence', () => {
  it('is passed when everything is done, having looked in the order in which a charge travels', async () => {
    expect(await fence.pass(gateway, 5_000)).toEqual({ passed: true });
    expect(pipeline.asked).toEqual(['usage end', 'rated', 'published', 'charges end', 'posted']);
  });

  it('waits for each part of the way, says for which, and goes on where it was', async () => {
    pipeline.recorded = 5;
    expect(await fence.pass(gateway, 5_000)).toEqual({ passed: false, waitingFor: 'billing, to rate what the gateways have recorded' });
    pipeline.rated = 5;
    expect(await fence.pass(gateway, 5_000)).toEqual({ passed: false, waitingFor: 'billing, to publish what it has rated' });
    pipeline.published = 5;
    expect(await fence.pass(gateway, 5_000)).toEqual({ passed: false, waitingFor: 'the ledger, to post what billing has published' });
    pipeline.posted = 5;
    expect(await fence.pass(gateway, 5_000)).toEqual({ passed: true });
    expect(pipeline.asked.filter((what) => what.endsWith('end'))).toEqual(['usage end', 'charges end']);
  });

  it('takes the end of the charges only behind the outbox: a charge that was still in it must be posted too', async () => {
    Object.assign(pipeline, { recorded: 5, rated: 5, published: 3, posted: 3 });
    expect(await fence.pass(gateway, 5_000)).toMatchObject({ passed: false });
    pipeline.published = 5;
    // The ledger has posted what the log held at first, and not yet the rest of the outbox.
    expect(await fence.pass(gateway, 5_000)).toEqual({ passed: false, waitingFor: 'the ledger, to post what billing has published' });
    pipeline.posted = 5;
    expect(await fence.pass(gateway, 5_000)).toEqual({ passed: true });
  });

  it('does not wait for what was recorded after the first question', async () => {
    Object.assign(pipeline, { recorded: 5 });
    await fence.pass(gateway, 5_000);
    Object.assign(pipeline, { recorded: 900, rated: 5, published: 5, posted: 5 });
    expect(await fence.pass(gateway, 5_000)).toEqual({ passed: true });
  });

  it('gives all its waits together the time of the caller', async () => {
    pipeline.waitMs = 2_000;
    expect(await fence.pass(gateway, 5_000)).toEqual({ passed: true });
    expect(pipeline.waits).toEqual([5_000, 3_000, 1_000]);
    pipeline.waits.length = 0;
    expect(await fence.pass({ ...gateway, instanceId: 'second run' }, 1_000)).toEqual({ passed: true });
    expect(pipeline.waits).toEqual([1_000, 0, 0]);
  });

  it('stays passed for one run of a gateway, and is closed again for the next', async () => {
    await fence.pass(gateway, 5_000);
    pipeline.recorded = 7;
    expect(await fence.pass(gateway, 5_000)).toEqual({ passed: true });
    expect(await fence.pass({ ...gateway, instanceId: 'second run' }, 5_000)).toMatchObject({ passed: false });
    expect(await fence.pass({ ...gateway, gatewayId: 'another' }, 5_000)).toMatchObject({ passed: false });
  });

  it('is asked by two at once without opening too early', async () => {
    Object.assign(pipeline, { recorded: 5, rated: 5, published: 5, posted: 4 });
    const answers = await Promise.all([fence.pass(gateway, 5_000), fence.pass(gateway, 5_000)]);
    expect(answers.every(({ passed }) => !passed)).toBe(true);
  });

  it('fails when a part cannot be asked, and goes on when it can', async () => {
    const broken = new LedgerFence<number>({ watermarks: { ...pipeline.watermarks, usageEnd: () => Promise.reject(new Error('no broker')) }, outbox: pipeline.outbox, now: () => 0 });
    await expect(broken.pass(gateway, 100)).rejects.toThrow('no broker');
    const outage = { fails: true };
    const flaky = new LedgerFence<number>({
      watermarks: { ...pipeline.watermarks, chargesEnd: () => (outage.fails ? Promise.reject(new Error('no broker')) : Promise.resolve(0)) },
      outbox: pipeline.outbox,
      now: () => 0,
    });
    await expect(flaky.pass(gateway, 100)).rejects.toThrow('no broker');
    outage.fails = false;
    expect(await flaky.pass(gateway, 100)).toEqual({ passed: true });
  });

  it('keeps the progress of so many gateways, and lets one that was pushed out begin anew', async () => {
    pipeline.recorded = 1;
    for (let count = 0; count <= 100; count += 1) await fence.pass({ gatewayId: `gateway ${count}`, instanceId: 'run' }, 1_000);
    pipeline.asked.length = 0;
    await fence.pass({ gatewayId: 'gateway 100', instanceId: 'run' }, 1_000);
    await fence.pass({ gatewayId: 'gateway 0', instanceId: 'run' }, 1_000);
    expect(pipeline.asked).toEqual(['rated', 'usage end', 'rated']);
  });
});
