import { Controller, Get, Header, Inject, Query, Req } from '@nestjs/common';
import { GatewayError } from '@tokone/protocol';
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { Gateway } from './gateway.js';
import { writeUsageAnswer } from './usage-answer.js';

const date = z.iso.date('must be a date like 2026-01-31').refine((text) => text >= '0001-01-01', 'must be a date like 2026-01-31');
const querySchema = z.object({
  start_date: date.optional(),
  end_date: date.optional(),
  days: z.coerce.number().int().min(1).max(90).default(30),
  timezone: z.string().max(64).refine(isTimezone, 'must be an IANA time zone like Europe/Berlin').default('UTC'),
});

const DAY_MS = 86_400_000;

/** What a key has used and what its account has left. Works for a key whose balance is empty and for a suspended account: people must see what they used. */
@Controller()
export class UsageController {
  constructor(@Inject(Gateway) private readonly gateway: Gateway) {}

  @Get('/v1/usage')
  @Header('cache-control', 'no-store')
  async usage(@Req() request: { raw: IncomingMessage }, @Query() query: unknown): Promise<unknown> {
    const { authenticator, ports } = this.gateway;
    const key = await authenticator.authenticate(request.raw.rawHeaders);
    const parsed = querySchema.safeParse(query);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      const field = issue?.path.join('.');
      throw new GatewayError('invalid_field', `${field}: ${issue?.message}`, { field });
    }
    const { start_date, end_date, days, timezone } = parsed.data;
    const today = dayIn(timezone, ports.now());
    const range = { startDate: start_date ?? dayIn(timezone, ports.now() - 29 * DAY_MS), endDate: end_date ?? today, days, timezone };
    if (start_date !== undefined && range.startDate > range.endDate) throw new GatewayError('invalid_field', `start_date: ${range.startDate} is after end_date, ${range.endDate}`, { field: 'start_date' });
    try {
      const [report, balanceNanoUsd] = await Promise.all([ports.usage.ofKey(key.keyId, range), ports.balances.balanceOf(key.accountId)]);
      return writeUsageAnswer({ key, report, balanceNanoUsd });
    } catch (cause) {
      throw new GatewayError('not_ready', 'Usage cannot be read right now. Send the request again in a moment.', { retryAfterSeconds: 2, cause });
    }
  }
}

function dayIn(timezone: string, ms: number): string {
  return new Intl.DateTimeFormat('en-CA', { timeZone: timezone, year: 'numeric', month: '2-digit', day: '2-digit' }).format(ms);
}

/** Names only: databases read an offset like +02:00 with the sign turned round. */
function isTimezone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }) !== undefined;
  } catch {
    return false;
  }
}
