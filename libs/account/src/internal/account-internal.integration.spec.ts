import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { HttpAccountDirectory, HttpBalances, HttpUpstreamDirectory } from '@tokone/account-client';
import { accountDirectoryContract, balancesContract, upstreamDirectoryContract } from '@tokone/account-client/contract';
import type { DirectoryDriver, DirectoryTables } from '@tokone/account-client/contract';
import { InternalClient } from '@tokone/http';
import { LocalAccountDirectory } from '../account-directory.js';
import { LocalBalanceSource } from '../balance-source.js';
import { CredentialSeal } from '../credential-seal.js';
import { directoryTables } from '../fixtures/directory-tables.js';
import { serveInternal } from '../fixtures/internal-server.js';
import type { InternalServer } from '../fixtures/internal-server.js';
import { startLedgerDatabase } from '../fixtures/ledger-database.js';
import type { LedgerDatabase } from '../fixtures/ledger-database.js';
import { LocalUpstreamDirectory } from '../upstream-directory.js';

let ledger: LedgerDatabase;
let server: InternalServer;
let tables: DirectoryTables;

beforeAll(async () => {
  ledger = await startLedgerDatabase();
  server = await serveInternal(ledger.feature);
  tables = directoryTables(ledger.pool, ledger.feature.parts.sealingKey);
});
afterAll(async () => {
  await server.close();
  await ledger.stop();
});

/** All suites share the tables; what they put there is theirs. */
function driverOf<Port>(port: () => Port): () => Promise<DirectoryDriver<Port>> {
  return async () => ({ port: port(), tables, close: async () => undefined });
}

accountDirectoryContract('the tables', driverOf(() => new LocalAccountDirectory(ledger.pool)));
accountDirectoryContract('HTTP', driverOf(() => new HttpAccountDirectory(server.client)));
upstreamDirectoryContract('the tables', driverOf(() => new LocalUpstreamDirectory(ledger.pool, new CredentialSeal(ledger.feature.parts.sealingKey))));
upstreamDirectoryContract('HTTP', driverOf(() => new HttpUpstreamDirectory(server.client)));
balancesContract('the tables', driverOf(() => new LocalBalanceSource(ledger.pool)));
balancesContract('HTTP', driverOf(() => new HttpBalances(server.client)));

describe('the internal routes of accounts', () => {
  it('are closed to whoever has another secret', async () => {
    const stranger = new InternalClient({ baseUrls: [server.url], secret: 'another-secret-than-the-services-have', now: () => performance.now() });
    try {
      await expect(new HttpAccountDirectory(stranger).groups()).rejects.toMatchObject({ failure: 'refused', status: 401 });
      await expect(new HttpUpstreamDirectory(stranger).upstreamsOf(ledger.ids.next())).rejects.toMatchObject({ status: 401 });
    } finally {
      await stranger.close();
    }
  });

  it.each([
    ['POST', '/internal/account/keys/find', {}],
    ['POST', '/internal/account/keys/find', { digest: 'short' }],
    ['GET', '/internal/account/balances/nobody', undefined],
    ['GET', "/internal/account/groups/';--/upstreams", undefined],
    ['POST', '/internal/account/gateways/heartbeat', { gatewayId: 'x' }],
    ['POST', '/internal/account/gateways/join', {}],
    ['POST', '/internal/account/admission/open', { accountIds: [] }],
  ] as const)('answer %s %s with body %j with 400', async (method, path, body) => {
    const asked = server.client.call({ method, path, ...(body && { body }), deadlineMs: 2_000, read: (json) => json });
    await expect(asked).rejects.toMatchObject({ failure: 'refused', status: 400 });
  });
});
