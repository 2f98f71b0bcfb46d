import { Controller, Inject, UseFilters } from '@nestjs/common';
import { EventPattern, Payload } from '@nestjs/microservices';
import { BatchErrorFilter } from '@tokone/messaging';
import type { LogBatch } from '@tokone/messaging';
import { UsageConsumer } from './usage-consumer.js';

/** What the transport registers its batches under; the name of the topic. */
export const USAGE_PATTERN = 'usage.recorded';

/** Batches of `usage.recorded` from a transport that hands over a whole `LogBatch`. Rejects when the batch is not stored. */
@Controller()
@UseFilters(BatchErrorFilter)
export class UsageBatchController {
  constructor(@Inject(UsageConsumer) private readonly consumer: UsageConsumer) {}

  @EventPattern(USAGE_PATTERN)
  async rate(@Payload() batch: LogBatch): Promise<void> {
    await this.consumer.handle(batch);
  }
}
