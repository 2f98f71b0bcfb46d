import { Controller, Get, UseFilters, UseGuards } from '@nestjs/common';
import { Groups } from '../groups.js';
import { ManagementErrorFilter } from './management-error.filter.js';
import { OperatorGuard } from './operator.guard.js';

/** What can be sold. There are few groups, so they come in one page. */
@Controller('api/v1/groups')
@UseGuards(OperatorGuard)
@UseFilters(ManagementErrorFilter)
export class GroupsController {
  constructor(private readonly groups: Groups) {}

  @Get()
  async list(): Promise<object> {
    return { items: await this.groups.list(), next: null };
  }
}
