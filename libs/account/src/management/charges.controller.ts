import { Controller, Get, Param, UseFilters, UseGuards, UsePipes } from '@nestjs/common';
import { writeUsd } from '@tokone/pricing';
import { notFound } from '../account-error.js';
import { Transfers } from '../transfers.js';
import type { ExplainedTransfer } from '../transfers.js';
import { ManagementErrorFilter } from './management-error.filter.js';
import { OperatorGuard } from './operator.guard.js';
import { id, requestPipe } from './request-schema.js';

/** Billing's part of a charge: usage, price and lines, as JSON. A class so that Nest can hand it over. */
export class ChargeExplanation {
  /** Undefined: billing does not know the request. */
  constructor(readonly explain: (requestId: string) => Promise<object | undefined>) {}
}

/** Why a request cost what it cost. The request id is the `x-request-id` of its answer. */
@Controller('api/v1/charges')
@UseGuards(OperatorGuard)
@UseFilters(ManagementErrorFilter)
@UsePipes(requestPipe)
export class ChargesController {
  constructor(
    private readonly transfers: Transfers,
    private readonly explanation: ChargeExplanation,
  ) {}

  /** `transfer` is null while a charge is not posted, and for ever when it is 0. */
  @Get(':requestId')
  async show(@Param('requestId', { schema: id }) requestId: string): Promise<object> {
    const [transfer, usage] = await Promise.all([this.transfers.find(requestId), this.explanation.explain(requestId)]);
    if (transfer === undefined && usage === undefined) throw notFound('charge for request', requestId);
    return { id: requestId, usage: usage ?? null, transfer: transfer ? writeTransfer(transfer) : null };
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
