import { describe, expect, it } from '@jest/globals';
import type { Exchange } from './exchange.js';
import { RunningExchanges } from './running-exchanges.js';

/** An exchange that ends so when it is shut down; a drain asks nothing else of it. */
function exchangeThat(shutDown: (self: Exchange) => void): Exchange {
  const exchange = { shutDown: () => shutDown(exchange as unknown as Exchange) };
  return exchange as unknown as Exchange;
}

describe('a drain', () => {
  it('is over at once where nothing runs', async () => {
    await expect(new RunningExchanges().drain(60_000)).resolves.toBeUndefined();
  });

  it('waits for what ends by itself, and shuts nothing down', async () => {
    const running = new RunningExchanges();
    let shut = 0;
    const exchanges = [1, 2].map(() => exchangeThat(() => shut++));
    for (const exchange of exchanges) running.add(exchange);
    let over = false;
    const drained = running.drain(60_000).then(() => (over = true));
    for (const exchange of exchanges) {
      await new Promise((resolve) => setImmediate(resolve));
      expect(over).toBe(false);
      running.delete(exchange);
    }
    await drained;
    expect([shut, running.size]).toEqual([0, 0]);
  });

  it('ends the rest after its grace, and waits for that', async () => {
    const running = new RunningExchanges();
    const ended: string[] = [];
    const quick = exchangeThat(() => undefined);
    running.add(quick);
    for (const name of ['a', 'b']) {
      running.add(
        exchangeThat((self) => {
          ended.push(`${name} told`);
          setImmediate(() => {
            ended.push(`${name} gone`);
            running.delete(self);
          });
        }),
      );
    }
    running.delete(quick);
    await running.drain(20);
    expect(ended).toEqual(['a told', 'b told', 'a gone', 'b gone']);
  });

  it('may be asked for twice', async () => {
    const running = new RunningExchanges();
    const exchange = exchangeThat(() => undefined);
    running.add(exchange);
    const drained = Promise.all([running.drain(60_000), running.drain(60_000)]);
    running.delete(exchange);
    await drained;
    expect(running.size).toBe(0);
  });
});

describe('the requests that run', () => {
  it('are those that were added and have not ended', () => {
    const running = new RunningExchanges();
    const [one, other] = ['one', 'other'].map((requestId) => ({ request: { requestId } }) as unknown as Exchange) as [Exchange, Exchange];
    running.add(one);
    running.add(other);
    running.delete(one);
    expect(running.ids()).toEqual(new Set(['other']));
  });
});

describe('answers that are read for nobody', () => {
  it('are bounded', () => {
    const running = new RunningExchanges();
    expect([running.enterAbsence(2), running.enterAbsence(2), running.enterAbsence(2)]).toEqual([true, true, false]);
    running.leaveAbsence();
    expect([running.enterAbsence(2), running.enterAbsence(2)]).toEqual([true, false]);
  });
});
