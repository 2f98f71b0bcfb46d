/** A request that the simulated provider turns down; the dialect writes it in the provider's own body shape. */
export class Refusal extends Error {
  readonly field: string | undefined;
  readonly code: string | undefined;
  readonly retryAfterSeconds: number | undefined;

  /** Without a message the dialect uses the provider's own sentence for that status. */
  constructor(
    readonly status: number,
    message = '',
    detail: { field?: string; code?: string; retryAfterSeconds?: number } = {},
  ) {
    super(message);
    this.field = detail.field;
    this.code = detail.code;
    this.retryAfterSeconds = detail.retryAfterSeconds;
  }
}
