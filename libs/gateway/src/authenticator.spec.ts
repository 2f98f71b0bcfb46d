import { describe, expect, it } from '@jest/globals';
import type { KeyRecord } from '@tokone/account-client';
import { Authenticator } from './authenticator.js';
import { tenantKey } from './fixtures/tenant.js';
import { KeyCache } from './key-cache.js';
import { KeyDigest } from './key-digest.js';

const digest = new KeyDigest(Buffer.alloc(32, 1));

function authenticatorOf(records: Record<string, KeyRecord>, failure?: Error) {
  const byDigest = new Map(Object.entries(records).map(([key, record]) => [digest.of(key), record]));
  const asked: string[] = [];
  const directory = {
    async findKey(wanted: Buffer) {
      asked.push(wanted.toString('latin1'));
      if (failure) throw failure;
      return byDigest.get(wanted.toString('latin1'));
    },
    groups: async () => [],
  };
  return { asked, authenticator: new Authenticator(digest, new KeyCache({ directory, now: () => 0 })) };
}

const bearer = (key: string) => ['authorization', `Bearer ${key}`];

describe('a request', () => {
  it('with a good key is of its tenant, and at once from then on', async () => {
    const { authenticator, asked } = authenticatorOf({ 'sk-good': tenantKey });
    expect(await authenticator.authenticate(bearer('sk-good'))).toBe(tenantKey);
    expect(authenticator.authenticate(['x-api-key', 'sk-good'])).toBe(tenantKey);
    expect(asked).toHaveLength(1);
  });

  it.each<[string, string[], string]>([
    ['without a key', [], 'missing_key'],
    ['with an unknown key', bearer('sk-other'), 'invalid_key'],
    ['with a key cut short', bearer('sk-goo'), 'invalid_key'],
    ['with a key that is too long', bearer('s'.repeat(257)), 'invalid_key'],
    ['with a header of 64 KB', bearer('s'.repeat(65_536)), 'invalid_key'],
    ['with a header that holds no key', ['authorization', 'Basic x', 'x-api-key', 'sk-good'], 'invalid_key'],
    ['with a disabled key', bearer('sk-off'), 'disabled_key'],
  ])('%s is refused, the second time too', async (_title, headers, code) => {
    const { authenticator } = authenticatorOf({ 'sk-good': tenantKey, 'sk-off': { ...tenantKey, status: 'disabled' } });
    for (let time = 0; time < 2; time++) {
      await expect((async () => authenticator.authenticate(headers))()).rejects.toMatchObject({ code });
    }
  });

  it('is asked to come again while keys cannot be checked', async () => {
    const { authenticator } = authenticatorOf({}, new Error('no database'));
    await expect((async () => authenticator.authenticate(bearer('sk-good')))()).rejects.toMatchObject({ code: 'not_ready', retryAfterSeconds: 1 });
  });
});
