import { Controller, Headers, HttpCode, Inject, Post } from '@nestjs/common';
import { readAs } from '@tokone/service';
import { z } from 'zod';
import { ChargeOutbox } from '../charge-outbox.js';

const deadlineSchema = z.coerce.number().int().min(0).max(600_000).default(5_000);
/** So that the caller hears "not yet" before it gives up. */
const ANSWER_MS = 100;

/** How far charges are published, for the account service's fence. */
@Controller('internal/billing/outbox')
export class OutboxController {
  constructor(@Inject(ChargeOutbox) private readonly outbox: ChargeOutbox) {}

  /** Waits for as long as the caller does. */
  @Post('published')
  @HttpCode(200)
  async published(@Headers('x-tokone-deadline-ms') deadline: unknown): Promise<unknown> {
    const deadlineMs = readAs(deadlineSchema, deadline);
    return { published: await this.outbox.passed(Math.max(0, deadlineMs - ANSWER_MS)) };
  }
}
