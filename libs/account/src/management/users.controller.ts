import { Body, Controller, Get, Post, Query, UseFilters, UseGuards, UsePipes } from '@nestjs/common';
import { z } from 'zod';
import { Users } from '../users.js';
import type { UserSummary } from '../users.js';
import { ManagementErrorFilter } from './management-error.filter.js';
import { OperatorGuard } from './operator.guard.js';
import { id, name, page, requestPipe, writePage } from './request-schema.js';

const ACTOR = 'operator';
const newUser = z.strictObject({ account: id, name });
const userPage = z.strictObject({ account: id, ...page });

/** The users of an account: what their keys ask for is counted together. */
@Controller('api/v1/users')
@UseGuards(OperatorGuard)
@UseFilters(ManagementErrorFilter)
@UsePipes(requestPipe)
export class UsersController {
  constructor(private readonly users: Users) {}

  @Post()
  async create(@Body({ schema: newUser }) body: z.output<typeof newUser>): Promise<object> {
    return writeUser(await this.users.create({ accountId: body.account, name: body.name, actor: ACTOR }));
  }

  @Get()
  async list(@Query({ schema: userPage }) query: z.output<typeof userPage>): Promise<object> {
    const { account: accountId, after, limit } = query;
    return writePage((await this.users.list({ accountId, after, limit })).map(writeUser), limit);
  }
}

function writeUser({ id: userId, accountId, name: called, createdAt }: UserSummary): { id: string } & Record<string, string> {
  return { id: userId, accountId, name: called, createdAt: createdAt.toISOString() };
}
