import { Body, Controller, HttpCode, Inject, Post } from '@nestjs/common';
import type { Provider, Type } from '@nestjs/common';
import { readAs } from '@tokone/service';
import { GatewayHolds } from './gateway-holds.js';
import { announceQuestion, runningQuestion } from './opening-wire.js';

/** What the account service asks of a gateway's admission. */
@Controller('internal/gateway/admission')
export class GatewayHoldsController {
  constructor(@Inject(GatewayHolds) private readonly holds: GatewayHolds) {}

  @Post('announce')
  @HttpCode(200)
  announce(@Body() body: unknown): Promise<object> {
    const { accountIds, token } = readAs(announceQuestion, body);
    return this.holds.announce(accountIds, token);
  }

  @Post('running')
  @HttpCode(200)
  running(@Body() body: unknown): Promise<object> {
    return this.holds.running(readAs(runningQuestion, body).requests);
  }
}

/** What a gateway has for the account service; for `internalModule`. */
export function gatewayHoldsInternal(holds: GatewayHolds): { controllers: Type[]; providers: Provider[] } {
  return { controllers: [GatewayHoldsController], providers: [{ provide: GatewayHolds, useValue: holds }] };
}
