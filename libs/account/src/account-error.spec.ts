import { describe, expect, it } from '@jest/globals';
import { AccountError, notFound } from './account-error.js';

describe('refusals of the management API', () => {
  it.each([
    ['invalid_request', 400],
    ['unauthorized', 401],
    ['not_found', 404],
    ['conflict', 409],
    ['internal', 500],
  ] as const)('%s is HTTP %i', (code, status) => {
    expect(new AccountError(code, 'why').status).toBe(status);
  });

  it('name what does not exist', () => {
    expect(notFound('group', 'x')).toMatchObject({ code: 'not_found', message: 'There is no group "x".' });
  });
});
