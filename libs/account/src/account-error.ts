/** Code → HTTP status of the management API. The message of each error says what to do. */
export const ACCOUNT_ERROR_STATUS = {
  invalid_request: 400,
  unauthorized: 401,
  not_found: 404,
  conflict: 409,
  internal: 500,
} as const;

export type AccountErrorCode = keyof typeof ACCOUNT_ERROR_STATUS;

/** A refusal that the operator sees as `{error: {code, message}}`. */
export class AccountError extends Error {
  override readonly name = 'AccountError';

  constructor(
    readonly code: AccountErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  get status(): number {
    return ACCOUNT_ERROR_STATUS[this.code];
  }
}

export function notFound(what: string, id: string): AccountError {
  return new AccountError('not_found', `There is no ${what} "${id}".`);
}
