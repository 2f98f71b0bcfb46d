import { Body, Controller, Get, HttpCode, Param, Post, Query, UseFilters, UseGuards, UsePipes } from '@nestjs/common';
import { z } from 'zod';
import { Keys } from '../keys.js';
import type { KeySummary } from '../keys.js';
import { ManagementErrorFilter } from './management-error.filter.js';
import { OperatorGuard } from './operator.guard.js';
import { id, line, name, page, requestPipe, writePage } from './request-schema.js';

const ACTOR = 'operator';
/** `group` by name or id. */
const newKey = z.strictObject({ account: id, group: name, user: id.optional(), name: line(100).default('') });
const keyPage = z.strictObject({ account: id.optional(), ...page });

/** The keys of tenants. A key in the clear is in one answer only: that of its creation. */
@Controller('api/v1/keys')
@UseGuards(OperatorGuard)
@UseFilters(ManagementErrorFilter)
@UsePipes(requestPipe)
export class KeysController {
  constructor(private readonly keys: Keys) {}

  @Post()
  async issue(@Body({ schema: newKey }) body: z.output<typeof newKey>): Promise<object> {
    const { account: accountId, group, user: userId } = body;
    const issued = await this.keys.issue({ accountId, group, userId, name: body.name, actor: ACTOR });
    return { id: issued.id, key: issued.key, accountId, groupId: issued.groupId, userId: issued.userId, name: body.name };
  }

  @Get()
  async list(@Query({ schema: keyPage }) query: z.output<typeof keyPage>): Promise<object> {
    const { account: accountId, after, limit } = query;
    return writePage((await this.keys.list({ accountId, after, limit })).map(writeKey), limit);
  }

  @Post(':id/disable')
  @HttpCode(200)
  async disable(@Param('id', { schema: id }) keyId: string): Promise<object> {
    return writeKey(await this.keys.disable(keyId, ACTOR));
  }
}

function writeKey(key: KeySummary): { id: string } & Record<string, string | null> {
  return {
    id: key.id,
    accountId: key.accountId,
    group: key.groupName,
    userId: key.userId,
    name: key.name,
    lastFour: key.lastFour,
    status: key.status,
    createdAt: key.createdAt.toISOString(),
    disabledAt: key.disabledAt?.toISOString() ?? null,
  };
}
