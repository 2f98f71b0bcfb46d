import { Body, Controller, HttpCode, Inject, Post } from '@nestjs/common';
import { idRangeQuestion, idsQuestion, minutesQuestion, writeAudit, writeChargePage } from '@tokone/billing-client';
import { readAs } from '@tokone/service';
import { LocalRatedAudit } from '../local-rated-audit.js';

/** Billing's part of reconciliation, for the account service. */
@Controller('internal/billing/audit')
export class AuditController {
  constructor(@Inject(LocalRatedAudit) private readonly audit: LocalRatedAudit) {}

  @Post('charge-page')
  @HttpCode(200)
  async chargePage(@Body() body: unknown): Promise<unknown> {
    return writeChargePage(await this.audit.chargePage(readAs(idRangeQuestion, body)));
  }

  @Post('charges')
  @HttpCode(200)
  async charges(@Body() body: unknown): Promise<unknown> {
    return writeAudit({ charges: await this.audit.charges(readAs(idRangeQuestion, body)) });
  }

  @Post('charges-of')
  @HttpCode(200)
  async chargesOf(@Body() body: unknown): Promise<unknown> {
    return writeAudit({ charges: await this.audit.chargesOf(readAs(idsQuestion, body).ids) });
  }

  @Post('minutes')
  @HttpCode(200)
  async minutes(@Body() body: unknown): Promise<unknown> {
    return writeAudit({ minutes: await this.audit.minutes(readAs(minutesQuestion, body)) });
  }

  @Post('partitions')
  @HttpCode(200)
  async partitions(): Promise<unknown> {
    return writeAudit({ partitions: await this.audit.partitions() });
  }
}
