import { Body, Controller, Get, HttpCode, Post, UseFilters, UseGuards, UsePipes } from '@nestjs/common';
import { z } from 'zod';
import { ReconciliationService } from '../reconciliation/reconciliation-service.js';
import { ManagementErrorFilter } from './management-error.filter.js';
import { OperatorGuard } from './operator.guard.js';
import { requestPipe } from './request-schema.js';

const newRun = z.strictObject({ full: z.boolean().default(false) });

/** The comparisons of money. A run takes longer than a request may, so it is begun, and its report asked for. */
@Controller('api/v1/reconciliation')
@UseGuards(OperatorGuard)
@UseFilters(ManagementErrorFilter)
@UsePipes(requestPipe)
export class ReconciliationController {
  constructor(private readonly service: ReconciliationService) {}

  /** The id that the report will have. */
  @Post()
  @HttpCode(202)
  async begin(@Body({ schema: newRun }) { full }: z.output<typeof newRun>): Promise<object> {
    return { id: await this.service.begin(full) };
  }

  /** `report`: the last one, null before the first. `running`: the id of one that is being made here, or null. */
  @Get()
  async last(): Promise<object> {
    const { report, running } = await this.service.last();
    return { report: report ?? null, running: running ?? null };
  }
}
