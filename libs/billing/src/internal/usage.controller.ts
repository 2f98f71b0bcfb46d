import { BadRequestException, Body, Controller, HttpCode, Inject, Post } from '@nestjs/common';
import { BAD_RANGE, usageQuestionSchema, writeUsageReport } from '@tokone/billing-client';
import { readAs } from '@tokone/service';
import { LocalUsageQuery } from '../usage-query.js';

/** What a key has used, for gateways. */
@Controller('internal/billing/usage')
export class UsageController {
  constructor(@Inject(LocalUsageQuery) private readonly usage: LocalUsageQuery) {}

  @Post()
  @HttpCode(200)
  async ofKey(@Body() body: unknown): Promise<unknown> {
    const { keyId, range } = readAs(usageQuestionSchema, body);
    try {
      return writeUsageReport(await this.usage.ofKey(keyId, range));
    } catch (cause) {
      if (cause instanceof RangeError) throw new BadRequestException({ code: BAD_RANGE, message: cause.message }, { cause });
      throw cause;
    }
  }
}
