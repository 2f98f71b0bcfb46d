import { Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import type { Billing } from './billing.js';
import { UsageBatchController } from './usage-batch.controller.js';
import { UsageConsumer } from './usage-consumer.js';

/** Rating behind a transport, for `NestFactory.createMicroservice`. Starting and stopping billing is the main's. */
@Module({})
export class UsageBatchModule {
  static with(billing: Pick<Billing, 'usageConsumer'>): DynamicModule {
    return {
      module: UsageBatchModule,
      controllers: [UsageBatchController],
      providers: [{ provide: UsageConsumer, useValue: billing.usageConsumer }],
    };
  }
}
