import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { RatedCharge } from '@tokone/events';
import type { ChargeLog } from './charge-log.js';
import type { Consumption } from './event-log.js';

/** One log for one test, empty at first. */
export interface ChargeLogDriver {
  log: ChargeLog;
  /** Resolves when the charges are in the log, as one batch of billing's. */
  publish(charges: readonly RatedCharge[]): Promise<void>;
  /** The same log as another process sees it. */
  another(): ChargeLog;
  close(): Promise<void>;
}

const DEADLINE_MS = 20_000;
const PROMPT_MS = 2_000;

/** The promises of `ChargeLog`, the same for every driver. */
export function chargeLogContract(name: string, makeDriver: () => Promise<ChargeLogDriver>): void {
  describe(`ChargeLog of ${name}`, () => {
    let driver: ChargeLogDriver;
    let running: Consumption[];
    beforeEach(async () => {
      driver = await makeDriver();
      running = [];
    });
    afterEach(async () => {
      await Promise.all(running.map((consumption) => consumption.stop()));
      await driver.close();
    });
    const start = async (handle: (charges: readonly RatedCharge[]) => Promise<void>, log = driver.log): Promise<Consumption> => {
      const consumption = await log.consume(handle);
      running.push(consumption);
      return consumption;
    };

    it('hands over every charge as it was published, before and after the start', async () => {
      const ledger = new MemoryLedger();
      const charges = range(0, 40).map(chargeOf);
      await driver.publish(charges.slice(0, 25));
      const consumption = await start(ledger.post);
      await driver.publish(charges.slice(25));
      await consumption.caughtUp(DEADLINE_MS);
      expect(ledger.inOrder()).toEqual(charges);
    });

    it('hands over charges again whose handler threw, and loses none of their neighbours', async () => {
      const ledger = new MemoryLedger();
      ledger.failures = 3;
      for (let batch = 0; batch < 6; batch++) await driver.publish(range(batch * 5, batch * 5 + 5).map(chargeOf));
      const consumption = await start(ledger.post);
      await consumption.caughtUp(DEADLINE_MS);
      expect(ledger.failures).toBe(0);
      expect(ledger.numbers()).toEqual(range(0, 30));
    });

    it('goes on after a restart with what was not handled, and forgets nothing that was published meanwhile', async () => {
      const ledger = new MemoryLedger();
      await driver.publish(range(0, 10).map(chargeOf));
      const first = await start(ledger.post);
      await first.caughtUp(DEADLINE_MS);
      await first.stop();
      const before = ledger.calls;
      await driver.publish(range(10, 20).map(chargeOf));
      const second = await start(ledger.post, driver.another());
      await second.caughtUp(DEADLINE_MS);
      expect(ledger.numbers()).toEqual(range(0, 20));
      expect(ledger.handedOver.slice(before).flat().map(numberOf).sort(byNumber)).toEqual(range(10, 20));
    });

    it('gives charges whose handler failed until the stop to the next consumer', async () => {
      const ledger = new MemoryLedger();
      ledger.failures = Infinity;
      await driver.publish(range(0, 5).map(chargeOf));
      const first = await start(ledger.post);
      await ledger.wasCalled();
      await first.stop();
      ledger.failures = 0;
      await (await start(ledger.post, driver.another())).caughtUp(DEADLINE_MS);
      expect(ledger.numbers()).toEqual(range(0, 5));
    });

    it('shares the charges between consumers, none of which is left out', async () => {
      const ledger = new MemoryLedger();
      const consumptions = [await start(ledger.post), await start(ledger.post, driver.another())];
      for (let batch = 0; batch < 20; batch++) await driver.publish(range(batch * 5, batch * 5 + 5).map(chargeOf));
      for (const consumption of consumptions) await consumption.caughtUp(DEADLINE_MS);
      expect(ledger.numbers()).toEqual(range(0, 100));
    });

    it('says when it has not caught up in time, and waits for the running handler when it is stopped', async () => {
      const ledger = new MemoryLedger();
      const open = ledger.close();
      await driver.publish([chargeOf(0)]);
      const consumption = await start(ledger.post);
      await ledger.wasCalled();
      await expect(consumption.caughtUp(20)).rejects.toMatchObject({ name: 'CatchUpError' });
      const stopped = consumption.stop();
      open();
      await stopped;
      expect(ledger.numbers()).toEqual([0]);
    });

    it('stops promptly while it has nothing to do, and in the pause after a failure', async () => {
      const ledger = new MemoryLedger();
      const idle = await start(ledger.post);
      await idle.caughtUp(DEADLINE_MS);
      await within(PROMPT_MS, idle.stop());
      ledger.failures = Infinity;
      await driver.publish([chargeOf(0)]);
      const failing = await start(ledger.post, driver.another());
      await ledger.wasCalled(3);
      await within(PROMPT_MS, failing.stop());
    });
  });
}

/** Keeps each charge once, as the ledger does, and fails on demand. */
class MemoryLedger {
  failures = 0;
  calls = 0;
  readonly handedOver: (readonly RatedCharge[])[] = [];
  private readonly posted = new Map<string, RatedCharge>();
  private opened: Promise<void> = Promise.resolve();
  private readonly watchers = new Set<() => void>();

  readonly post = async (charges: readonly RatedCharge[]): Promise<void> => {
    this.calls++;
    for (const watch of this.watchers) watch();
    await this.opened;
    if (this.failures > 0) {
      this.failures--;
      throw new Error('no database');
    }
    this.handedOver.push(charges);
    for (const charge of charges) this.posted.set(charge.id, charge);
  };

  inOrder(): RatedCharge[] {
    return [...this.posted.values()].sort((a, b) => numberOf(a) - numberOf(b));
  }

  numbers(): number[] {
    return this.inOrder().map(numberOf);
  }

  /** Holds handlers until what it returns is called. */
  close(): () => void {
    let open = (): void => undefined;
    this.opened = new Promise((resolve) => (open = resolve));
    return open;
  }

  async wasCalled(times = 1): Promise<void> {
    const called = new Promise<void>((resolve) => {
      const watch = (): void => {
        if (this.calls >= times) resolve();
      };
      this.watchers.add(watch);
      watch();
    });
    await within(DEADLINE_MS, called);
  }
}

function chargeOf(number: number): RatedCharge {
  const id = (kind: string): string => `00000000-0000-7000-8000-${kind}${number.toString(16).padStart(10, '0')}`;
  return { id: id('01'), accountId: id('02'), ratedNanoUsd: BigInt(number) + 9_007_199_254_740_993n, chargeNanoUsd: BigInt(number) };
}

function numberOf(charge: RatedCharge): number {
  return Number(charge.chargeNanoUsd);
}

function byNumber(a: number, b: number): number {
  return a - b;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

async function within(deadlineMs: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${deadlineMs} ms`)), deadlineMs);
  });
  await Promise.race([work, late]).finally(() => clearTimeout(timer));
}
