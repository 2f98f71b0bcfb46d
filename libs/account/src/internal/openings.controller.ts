import { Body, Controller, HttpCode, Inject, Post } from '@nestjs/common';
import { openQuestion, writeOpenAnswer } from '@tokone/admission';
import { readAs } from '@tokone/service';
import { AccountOpenings } from '../admission/account-openings.js';

/** What gateways ask when admission does not know an account. */
@Controller('internal/account/admission')
export class OpeningsController {
  constructor(@Inject(AccountOpenings) private readonly openings: AccountOpenings) {}

  @Post('open')
  @HttpCode(200)
  async open(@Body() body: unknown): Promise<object> {
    const { accountIds, waitMs } = readAs(openQuestion, body);
    return writeOpenAnswer(await this.openings.open(accountIds, waitMs));
  }
}
