import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startLedgerDatabase } from './fixtures/ledger-database.js';
import type { LedgerDatabase } from './fixtures/ledger-database.js';
import { PostedCursors } from './posted-cursors.js';

let ledger: LedgerDatabase;
beforeAll(async () => {
  ledger = await startLedgerDatabase({ asRole: true });
});
afterAll(() => ledger.stop());

describe('the cursors of posted charges', () => {
  it('are kept by partition, by the role of the service, and may go back', async () => {
    const cursors = new PostedCursors(ledger.pool);
    expect(await cursors.read('one:charge.rated/3')).toBeUndefined();
    await cursors.save('one:charge.rated/3', 7n);
    await cursors.save('two:charge.rated/3', 2n ** 40n);
    expect(await new PostedCursors(ledger.pool).read('one:charge.rated/3')).toBe(7n);
    await cursors.save('one:charge.rated/3', 4n);
    expect([await cursors.read('one:charge.rated/3'), await cursors.read('two:charge.rated/3')]).toEqual([4n, 2n ** 40n]);
  });
});
