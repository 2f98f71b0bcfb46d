import { expect, it } from '@jest/globals';
import { MemoryAdmissionAudit } from './admission-audit.js';
import type { AuditedAccount } from './admission-audit.js';
import { MemoryAdmission } from './memory-admission.js';

it('names every account once, in bounded pages, with its records and their ages', async () => {
  let nowMs = 0;
  const admission = new MemoryAdmission({ balances: { read: async () => ({ seq: 3n, balanceNanoUsd: 100n }) }, now: () => nowMs });
  const accountIds = Array.from({ length: 1_200 }, (_, index) => `account-${index}`);
  for (const accountId of accountIds) await admission.reserve({ accountId, requestId: `${accountId}-held`, amount: { inputNanoUsd: 5n, worstNanoUsd: 5n, firstStepNanoUsd: 0n, mode: 'limit_stated' } });
  nowMs = 700;
  await admission.settle('account-7', { requestId: 'account-7-held', costNanoUsd: 4n, heldNanoUsd: 5n });
  nowMs = 1_000;
  const pages: AuditedAccount[][] = [];
  for await (const page of new MemoryAdmissionAudit(admission).pages()) pages.push(page);
  expect(Math.max(...pages.map(({ length }) => length))).toBeLessThanOrEqual(500);
  const all = pages.flat();
  expect(all.map(({ accountId }) => accountId)).toEqual(accountIds);
  expect(all[7]).toEqual({ accountId: 'account-7', seq: 3n, limitNanoUsd: 100n, heldNanoUsd: 0n, settledNanoUsd: 4n, records: [{ requestId: 'account-7-held', state: 'settled', amountNanoUsd: 4n, ageMs: 300 }] });
  expect(all[8]?.records).toEqual([{ requestId: 'account-8-held', state: 'held', amountNanoUsd: 5n, ageMs: 1_000 }]);
});
