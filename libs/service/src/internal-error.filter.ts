import { Catch, HttpException, Inject, Injectable } from '@nestjs/common';
import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import type { Logger } from '@tokone/telemetry';

interface Reply {
  status(code: number): Reply;
  send(body: unknown): unknown;
}

/** Where failures of internal routes are written down. A class so that Nest can hand it over. */
export class InternalFailureLog {
  constructor(readonly logger: Logger) {}
}

/** Every failure of an internal route as `{error: {code, message}}`. Causes go to the log, not to the caller. */
@Catch()
@Injectable()
export class InternalErrorFilter implements ExceptionFilter {
  constructor(@Inject(InternalFailureLog) private readonly failures: InternalFailureLog) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const status = statusOf(error);
    if (status >= 500) this.failures.logger.error({ cause: error instanceof Error ? (error.stack ?? error.message) : String(error) }, 'an internal request failed');
    const message = status < 500 || error instanceof HttpException ? (error as Error).message : 'The service could not do this now; its log says why.';
    host.switchToHttp().getResponse<Reply>().status(status).send({ error: { code: codeOf(error, status), message } });
  }
}

/** An exception of Nest may name a code of ours: `new ConflictException({ code, message })`. */
function codeOf(error: unknown, status: number): string {
  const response = error instanceof HttpException ? error.getResponse() : undefined;
  const code = typeof response === 'object' && 'code' in response ? response.code : undefined;
  return typeof code === 'string' ? code : `status_${status}`;
}

function statusOf(error: unknown): number {
  if (error instanceof HttpException) return error.getStatus();
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
  return typeof status === 'number' && status >= 400 && status <= 499 ? status : 500;
}
