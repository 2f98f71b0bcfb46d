import { describe, expect, it } from '@jest/globals';
import { RedisView } from './redis-view.js';
import type { RedisViewOptions } from './redis-view.js';

const away = (): never => {
  throw new Error('the node is away');
};

/** Accounts whose name begins with `lost` lie on a node that does not answer. */
function viewOf(accountIds: readonly string[], onTrouble: RedisViewOptions['onTrouble'], scan: () => void = () => undefined): RedisView {
  const accounts = {
    async *accountIds() {
      yield accountIds;
      scan();
    },
    look: async (accountId: string) => (accountId.startsWith('lost') ? away() : { seq: 7n, records: 0, nowMs: 0 }),
    fieldsOf: away,
    drop: away,
  };
  return new RedisView({ accounts: accounts as never, ...(onTrouble && { onTrouble }) });
}

describe('what Redis has of accounts', () => {
  it('is told of those that can be looked at, when others cannot', async () => {
    const failures: unknown[] = [];
    const view = viewOf(['lost-1', 'a', 'b'], (more) => failures.push(...more));
    expect((await view.unposted()).map(({ accountId }) => accountId)).toEqual(['a', 'b']);
    expect(failures.map(String)).toEqual(['Error: the node is away']);
  });

  it('is told of the nodes that answered, when another one did not', async () => {
    const failures: unknown[] = [];
    const view = viewOf(['a'], (more) => failures.push(...more), away);
    for (let look = 0; look < 2; look++) expect((await view.unposted()).map(({ accountId }) => accountId)).toEqual(['a']);
    expect(failures).toHaveLength(2);
  });

  it('is no answer when nothing can be looked at', async () => {
    await expect(viewOf(['lost-1', 'lost-2'], undefined).unposted()).rejects.toThrow('the node is away');
    await expect(viewOf([], undefined, away).unposted()).rejects.toThrow('the node is away');
  });
});
