import type { AccountDirectory } from '@tokone/account-client';
import type { HealthCheck } from '@tokone/service';

/**
 * Whether the account service has answered this adapter, which knows no upstreams otherwise. Once is enough: upstreams
 * that it knows serve on while account is away, and an adapter that was taken out then would only add to the harm.
 */
export function accountCheck(directory: Pick<AccountDirectory, 'groups'>): HealthCheck {
  let answered = false;
  return {
    name: 'account',
    problem: async () => {
      if (answered) return undefined;
      try {
        await directory.groups();
        answered = true;
        return undefined;
      } catch {
        return 'The account service, which knows the upstreams, has not answered yet.';
      }
    },
  };
}
