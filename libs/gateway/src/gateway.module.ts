import { Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { Gateway } from './gateway.js';
import { HealthController } from './health.controller.js';
import { ModelsController } from './models.controller.js';
import { PublicErrorFilter } from './public-error.filter.js';
import { HoldsView, StatusController } from './status.controller.js';
import type { OutstandingHolds } from './status.controller.js';
import { UsageController } from './usage.controller.js';

/** The public API beside inference: model lists, usage, health, and refusals for all else. */
@Module({})
export class GatewayModule {
  static with(gateway: Gateway): DynamicModule {
    return {
      module: GatewayModule,
      controllers: [ModelsController, UsageController, HealthController],
      providers: [
        { provide: Gateway, useValue: gateway },
        { provide: APP_FILTER, useClass: PublicErrorFilter },
      ],
    };
  }
}

/** Health of the gateway, for the management listener. */
@Module({})
export class GatewayStatusModule {
  static with(gateway: Gateway, holds: () => OutstandingHolds): DynamicModule {
    return {
      module: GatewayStatusModule,
      controllers: [StatusController],
      providers: [
        { provide: Gateway, useValue: gateway },
        { provide: HoldsView, useValue: new HoldsView(holds) },
      ],
    };
  }
}
