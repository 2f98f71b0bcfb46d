import { Body, ConflictException, Controller, HttpCode, Inject, Post } from '@nestjs/common';
import { GATEWAY_REPLACED, gatewayQuestion, identityQuestion, isReplaced } from '@tokone/account-client';
import { readAs } from '@tokone/service';
import { PostgresGatewayRegistry } from '../gateway-registry.js';

/** What gateways tell the account service of themselves. */
@Controller('internal/account/gateways')
export class GatewaysController {
  constructor(@Inject(PostgresGatewayRegistry) private readonly registry: PostgresGatewayRegistry) {}

  @Post('join')
  @HttpCode(200)
  async join(@Body() body: unknown): Promise<object> {
    await this.registry.join(readAs(gatewayQuestion, body));
    return {};
  }

  @Post('heartbeat')
  @HttpCode(200)
  async heartbeat(@Body() body: unknown): Promise<object> {
    try {
      await this.registry.heartbeat(readAs(gatewayQuestion, body));
    } catch (error) {
      if (!isReplaced(error)) throw error;
      throw new ConflictException({ code: GATEWAY_REPLACED, message: error.message }, { cause: error });
    }
    return {};
  }

  @Post('leave')
  @HttpCode(200)
  async leave(@Body() body: unknown): Promise<object> {
    await this.registry.leave(readAs(identityQuestion, body));
    return {};
  }
}
