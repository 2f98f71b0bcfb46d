import { Catch, type RpcExceptionFilter } from '@nestjs/common';
import { throwError, type Observable } from 'rxjs';

/** For a controller that handles batches: the log is told the error itself, where Nest would log it and say "Internal server error". */
@Catch()
export class BatchErrorFilter implements RpcExceptionFilter {
  catch(error: unknown): Observable<never> {
    return throwError(() => error);
  }
}
