import { Body, Controller, Get, HttpCode, Param, Post, UseFilters, UseGuards, UsePipes } from '@nestjs/common';
import { writeUsd } from '@tokone/pricing';
import { z } from 'zod';
import { notFound } from '../account-error.js';
import { ChargeWaivers } from '../billed-charges.js';
import type { BilledCharges } from '../billed-charges.js';
import { Transfers } from '../transfers.js';
import type { ExplainedTransfer } from '../transfers.js';
import { ManagementErrorFilter } from './management-error.filter.js';
import { OperatorGuard } from './operator.guard.js';
import { id, line, requestPipe } from './request-schema.js';

/** A class so that Nest can hand it over. */
export class ChargeExplanation {
  constructor(readonly billed: Pick<BilledCharges, 'explain'>) {}
}

const ACTOR = 'operator';
const waiver = z.strictObject({ why: line(1_000).pipe(z.string().min(1, 'must not be empty')) });

/** Why a request cost what it cost. The request id is the `x-request-id` of its answer. */
@Controller('api/v1/charges')
@UseGuards(OperatorGuard)
@UseFilters(ManagementErrorFilter)
@UsePipes(requestPipe)
export class ChargesController {
  constructor(
    private readonly transfers: Transfers,
    private readonly explanation: ChargeExplanation,
    private readonly waivers: ChargeWaivers,
  ) {}

  /** `transfer` is null while a charge is not posted, and for ever when it is 0. */
  @Get(':requestId')
  async show(@Param('requestId', { schema: id }) requestId: string): Promise<object> {
    const [transfer, usage] = await Promise.all([this.transfers.find(requestId), this.explanation.billed.explain(requestId)]);
    if (transfer === undefined && usage === undefined) throw notFound('charge for request', requestId);
    return { id: requestId, usage: usage ?? null, transfer: transfer ? writeTransfer(transfer) : null };
  }

  /** A parked request costs nothing from here on. Answers as `show`. */
  @Post(':requestId/waive')
  @HttpCode(200)
  async waive(@Param('requestId', { schema: id }) requestId: string, @Body({ schema: waiver }) { why }: z.infer<typeof waiver>): Promise<object> {
    await this.waivers.waive(requestId, { by: ACTOR, why });
    return this.show(requestId);
  }
}

function writeTransfer(transfer: ExplainedTransfer): object {
  return {
    id: transfer.id,
    kind: transfer.kind,
    accountId: transfer.accountId,
    amount: writeUsd(transfer.amountNanoUsd),
    granted: transfer.grantedNanoUsd === null ? null : writeUsd(transfer.grantedNanoUsd),
    memo: transfer.memo,
    createdAt: transfer.createdAt.toISOString(),
    entries: transfer.entries.map((entry) => ({
      ledgerAccount: entry.kind,
      seq: entry.seq.toString(),
      amount: writeUsd(entry.amountNanoUsd),
      balanceAfter: writeUsd(entry.balanceAfterNanoUsd),
    })),
  };
}
