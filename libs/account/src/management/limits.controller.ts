import { Body, Controller, Delete, Get, Put, Query, UseFilters, UseGuards, UsePipes } from '@nestjs/common';
import { MOST_LIMIT } from '@tokone/account-client';
import type { RequestLimits } from '@tokone/account-client';
import { z } from 'zod';
import { Limits } from '../limits.js';
import type { LimitSubject } from '../limits.js';
import { ManagementErrorFilter } from './management-error.filter.js';
import { OperatorGuard } from './operator.guard.js';
import { id, name, requestPipe } from './request-schema.js';

const ACTOR = 'operator';
const subject = z
  .strictObject({ account: id.optional(), user: id.optional(), key: id.optional(), group: name.optional() })
  .refine(({ account, user, key, group }) => [account ?? group, user, key].filter((one) => one !== undefined).length === 1, {
    message: 'Name one of account, user, key or group, or an account and a group together.',
  });
/** Null and absent: not limited. */
const limit = z.int().min(1).max(MOST_LIMIT).nullish();
const limits = z.strictObject({ requestsPerMinute: limit, tokensPerMinute: limit, concurrentRequests: limit });

type Subject = z.output<typeof subject>;

/** How much may be asked for. Whose limits these are stands in the query; `group` by name or id. */
@Controller('api/v1/limits')
@UseGuards(OperatorGuard)
@UseFilters(ManagementErrorFilter)
@UsePipes(requestPipe)
export class LimitsController {
  constructor(private readonly limits: Limits) {}

  @Get()
  async show(@Query({ schema: subject }) query: Subject): Promise<object> {
    return writeLimits(query, await this.limits.find(readSubject(query)));
  }

  /** The whole of them: what is absent is not limited any more. Of an account in a group, `{}` lifts the limits of the group. */
  @Put()
  async set(@Query({ schema: subject }) query: Subject, @Body({ schema: limits }) body: z.output<typeof limits>): Promise<object> {
    const { requestsPerMinute, tokensPerMinute, concurrentRequests } = body;
    const wanted = { requestsPerMinute: requestsPerMinute ?? undefined, tokensPerMinute: tokensPerMinute ?? undefined, concurrentRequests: concurrentRequests ?? undefined };
    await this.limits.set(readSubject(query), wanted, ACTOR);
    return this.show(query);
  }

  @Delete()
  async clear(@Query({ schema: subject }) query: Subject): Promise<object> {
    await this.limits.clear(readSubject(query), ACTOR);
    return this.show(query);
  }
}

function readSubject({ account, user, key, group }: Subject): LimitSubject {
  return { accountId: account, userId: user, keyId: key, group };
}

/** `limits` null: nothing is set here. */
function writeLimits(subjectOfQuery: Subject, found: RequestLimits | undefined): object {
  if (found === undefined) return { ...subjectOfQuery, limits: null };
  const { requestsPerMinute = null, tokensPerMinute = null, concurrentRequests = null } = found;
  return { ...subjectOfQuery, limits: { requestsPerMinute, tokensPerMinute, concurrentRequests } };
}
