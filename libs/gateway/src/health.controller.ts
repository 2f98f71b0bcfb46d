import { Controller, Get, Inject } from '@nestjs/common';
import { Gateway } from './gateway.js';
import { notReady } from './inference-intake.js';

@Controller()
export class HealthController {
  constructor(@Inject(Gateway) private readonly gateway: Gateway) {}

  @Get('/health')
  health(): { status: 'ok' } {
    if (!this.gateway.ready) throw notReady();
    return { status: 'ok' };
  }
}
