import { Controller, Get, Inject, Param } from '@nestjs/common';
import { readAs } from '@tokone/service';
import { z } from 'zod';
import { writeChargeStatement } from '../charge-document.js';
import { ChargeStatements } from '../charge-statement.js';

const idSchema = z.uuid();

/** Explains charges, for the account service's management API. */
@Controller('internal/billing/charges')
export class ChargesController {
  constructor(@Inject(ChargeStatements) private readonly statements: ChargeStatements) {}

  @Get(':requestId')
  async explain(@Param('requestId') requestId: unknown): Promise<unknown> {
    const statement = await this.statements.explainCharge(readAs(idSchema, requestId));
    return { charge: statement ? writeChargeStatement(statement) : null };
  }
}
