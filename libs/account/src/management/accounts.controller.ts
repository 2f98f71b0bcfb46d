import { Body, Controller, Get, HttpCode, Param, Post, Query, UseFilters, UseGuards, UsePipes } from '@nestjs/common';
import { writeUsd } from '@tokone/pricing';
import { Uuid7Source } from '@tokone/protocol';
import { z } from 'zod';
import { Accounts } from '../accounts.js';
import type { AccountSummary } from '../accounts.js';
import { TopUps } from '../top-ups.js';
import { ManagementErrorFilter } from './management-error.filter.js';
import { OperatorGuard } from './operator.guard.js';
import { id, line, name, page, requestPipe, usd, writePage } from './request-schema.js';

const ACTOR = 'operator';
const newAccount = z.strictObject({ name });
const accountPage = z.strictObject(page);
const newTopUp = z.strictObject({ amount: usd, id: id.optional(), memo: line(500).optional() });

/** Tenants and their credit. Money is a decimal string of USD. */
@Controller('api/v1/accounts')
@UseGuards(OperatorGuard)
@UseFilters(ManagementErrorFilter)
@UsePipes(requestPipe)
export class AccountsController {
  constructor(
    private readonly accounts: Accounts,
    private readonly topUps: TopUps,
    private readonly ids: Uuid7Source,
  ) {}

  @Post()
  async create(@Body({ schema: newAccount }) body: z.output<typeof newAccount>): Promise<object> {
    return writeAccount(await this.accounts.create(body.name, ACTOR));
  }

  @Get()
  async list(@Query({ schema: accountPage }) query: z.output<typeof accountPage>): Promise<object> {
    const { after, limit } = query;
    return writePage((await this.accounts.list({ after, limit })).map(writeAccount), limit);
  }

  @Get(':id')
  async show(@Param('id', { schema: id }) accountId: string): Promise<object> {
    return writeAccount(await this.accounts.find(accountId));
  }

  /** With an `id` of the caller's, a repeated request adds nothing and gets the first answer. */
  @Post(':id/top-ups')
  @HttpCode(200)
  async topUp(
    @Param('id', { schema: id }) accountId: string,
    @Body({ schema: newTopUp }) body: z.output<typeof newTopUp>,
  ): Promise<object> {
    const { amount: amountNanoUsd, memo } = body;
    const receipt = await this.topUps.topUp({ id: body.id ?? this.ids.next(), accountId, amountNanoUsd, memo, actor: ACTOR });
    return { id: receipt.transferId, accountId, amount: writeUsd(amountNanoUsd), balance: writeUsd(receipt.balanceNanoUsd) };
  }
}

function writeAccount({ id, name, status, balanceNanoUsd, createdAt }: AccountSummary): { id: string } & Record<string, string> {
  return { id, name, status, balance: writeUsd(balanceNanoUsd), createdAt: createdAt.toISOString() };
}
