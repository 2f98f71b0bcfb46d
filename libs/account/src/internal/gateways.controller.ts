import { Body, ConflictException, Controller, HttpCode, Inject, Post } from '@nestjs/common';
import { OTHER_GATEWAY, fenceQuestion, heartbeatQuestion, identityQuestion, isOtherGateway } from '@tokone/account-client';
import type { FenceAnswer } from '@tokone/account-client';
import { readAs } from '@tokone/service';
import { FenceMeter } from '../fence-meter.js';
import { LedgerFence } from '../ledger-fence.js';
import { PostgresGatewayRegistry } from '../gateway-registry.js';

/** What gateways tell the account service of themselves, and what they must pass before they admit anyone. */
@Controller('internal/account')
export class GatewaysController {
  constructor(
    @Inject(PostgresGatewayRegistry) private readonly registry: PostgresGatewayRegistry,
    @Inject(LedgerFence) private readonly ledgerFence: LedgerFence,
    @Inject(FenceMeter) private readonly meter: FenceMeter,
  ) {}

  @Post('gateways/heartbeat')
  @HttpCode(200)
  async heartbeat(@Body() body: unknown): Promise<object> {
    try {
      await this.registry.heartbeat(readAs(heartbeatQuestion, body));
    } catch (error) {
      if (!isOtherGateway(error)) throw error;
      throw new ConflictException({ code: OTHER_GATEWAY, message: error.message }, { cause: error });
    }
    return {};
  }

  @Post('gateways/leave')
  @HttpCode(200)
  async leave(@Body() body: unknown): Promise<object> {
    await this.registry.leave(readAs(identityQuestion, body));
    return {};
  }

  @Post('fence')
  @HttpCode(200)
  async fence(@Body() body: unknown): Promise<FenceAnswer> {
    const { waitMs, ...gateway } = readAs(fenceQuestion, body);
    return this.meter.timed(() => this.ledgerFence.pass(gateway, waitMs));
  }
}
