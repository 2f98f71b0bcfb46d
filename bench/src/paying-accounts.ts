import type { ServicesProcess } from '@tokone/testing';

const AT_ONCE = 8;

/** Makes so many accounts, each with a balance, through the management API. */
export async function makePayingAccounts(services: ServicesProcess, count: number, balanceUsd: string): Promise<string[]> {
  const accountIds: string[] = [];
  let begun = 0;
  const makeSome = async () => {
    while (begun++ < count) accountIds.push(await makeOne(services, balanceUsd));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, makeSome));
  return accountIds.sort();
}

async function makeOne(services: ServicesProcess, balanceUsd: string): Promise<string> {
  const account = await services.manage('POST', '/api/v1/accounts', { name: 'bench' });
  const accountId = String(account.body['id']);
  const topUp = await services.manage('POST', `/api/v1/accounts/${accountId}/top-ups`, { amount: balanceUsd });
  if (account.status >= 300 || topUp.status >= 300) throw new Error(`an account could not be made: ${JSON.stringify([account, topUp])}`);
  return accountId;
}
