import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Injectable } from '@nestjs/common';
import { ACCOUNT_ERROR_STATUS, AccountError } from '../account-error.js';
import type { AccountErrorCode } from '../account-error.js';
import type { RaiseAlarm } from '../account-alarm.js';

interface Reply {
  status(code: number): Reply;
  send(body: unknown): unknown;
}

/** Where unexpected failures go. Stands first because the filter's decorator needs it when the file is read. */
export class ManagementFailureReporter {
  constructor(readonly report: RaiseAlarm) {}
}

/** Writes every failure of the management API as `{error: {code, message}}`. Causes go to the alarm, not to the caller. */
@Catch()
@Injectable()
export class ManagementErrorFilter implements ExceptionFilter {
  constructor(private readonly reporter: ManagementFailureReporter) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const known = asAccountError(error);
    if (known === undefined) this.reporter.report({ kind: 'management_failed', error });
    const { code, status, message } = known ?? new AccountError('internal', 'TokOne could not do this now. Its log says why.');
    host.switchToHttp().getResponse<Reply>().status(status).send({ error: { code, message } });
  }
}

/** Refusals of ours, of Nest (unknown route) and of the HTTP server (a body that is no JSON, or too large). */
function asAccountError(error: unknown): AccountError | undefined {
  if (error instanceof AccountError) return error;
  const status = error instanceof HttpException ? error.getStatus() : statusOf(error);
  if (status === undefined || status < 400 || status > 499) return undefined;
  const code = (Object.keys(ACCOUNT_ERROR_STATUS) as AccountErrorCode[]).find((name) => ACCOUNT_ERROR_STATUS[name] === status);
  return new AccountError(code ?? 'invalid_request', error instanceof Error ? error.message : 'The request is not valid.', { cause: error });
}

function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('statusCode' in error)) return undefined;
  return typeof error.statusCode === 'number' ? error.statusCode : undefined;
}
