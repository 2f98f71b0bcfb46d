import { Controller, Get, Inject, Query, ServiceUnavailableException } from '@nestjs/common';
import type { Provider, Type } from '@nestjs/common';
import { recordsQuestion } from '@tokone/account-client';
import { readAs } from '@tokone/service';
import { SpoolRecords } from './spool-records.js';

/** What this gateway recorded, for the reconciliation of the account service. */
@Controller('internal/gateway/records')
export class RecordsController {
  constructor(@Inject(SpoolRecords) private readonly records: SpoolRecords) {}

  @Get()
  async report(@Query() query: unknown): Promise<object> {
    const { waitMs } = readAs(recordsQuestion, query);
    try {
      return await this.records.report(waitMs);
    } catch (cause) {
      throw new ServiceUnavailableException('Not everything that the spool holds is handed on yet.', { cause });
    }
  }
}

/** For `internalModule`. */
export function recordsInternal(records: SpoolRecords): { controllers: Type[]; providers: Provider[] } {
  return { controllers: [RecordsController], providers: [{ provide: SpoolRecords, useValue: records }] };
}
