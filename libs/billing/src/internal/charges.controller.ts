import { Body, Controller, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { waiverQuestion } from '@tokone/billing-client';
import { readAs } from '@tokone/service';
import { z } from 'zod';
import { writeChargeStatement } from '../charge-document.js';
import { ChargeStatements } from '../charge-statement.js';
import { ParkedWaiver } from '../parked-waiver.js';

const idSchema = z.uuid();

/** Explains charges and waives parked requests, for the account service's management API. */
@Controller('internal/billing/charges')
export class ChargesController {
  constructor(
    @Inject(ChargeStatements) private readonly statements: ChargeStatements,
    @Inject(ParkedWaiver) private readonly waiver: ParkedWaiver,
  ) {}

  @Get(':requestId')
  async explain(@Param('requestId') requestId: unknown): Promise<unknown> {
    const statement = await this.statements.explainCharge(readAs(idSchema, requestId));
    return { charge: statement ? writeChargeStatement(statement) : null };
  }

  @Post(':requestId/waive')
  @HttpCode(200)
  async waive(@Param('requestId') requestId: unknown, @Body() body: unknown): Promise<unknown> {
    return { waiver: await this.waiver.waive(readAs(idSchema, requestId), readAs(waiverQuestion, body)) };
  }
}
