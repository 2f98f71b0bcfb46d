import { Body, Controller, Get, HttpCode, Inject, Post, Query } from '@nestjs/common';
import type { Provider, Type } from '@nestjs/common';
import { readAs } from '@tokone/service';
import { z } from 'zod';
import { writeAuditPage } from './audit-wire.js';
import { MemoryAdmission } from './memory-admission.js';
import { postingsMessage, writeUnposted } from './posting-wire.js';
import { UnpostedPages } from './unposted-pages.js';

const view = z.object({ olderThanMs: z.coerce.number().int().min(0).max(3_600_000).default(2_000) });

const auditPage = z.object({ after: z.coerce.number().int().min(0).default(0) });

/** What the account service tells this gateway's admission, and asks of it. */
@Controller('internal/gateway/admission')
export class AdmissionController {
  constructor(
    @Inject(MemoryAdmission) private readonly admission: MemoryAdmission,
    @Inject(UnpostedPages) private readonly pages: UnpostedPages,
  ) {}

  @Post('post')
  @HttpCode(200)
  async post(@Body() body: unknown): Promise<object> {
    for (const posting of readAs(postingsMessage, body)) await this.admission.post(posting);
    return {};
  }

  @Get('unposted')
  unposted(@Query() query: unknown): object {
    return writeUnposted(this.pages.next(readAs(view, query).olderThanMs));
  }

  @Get('audit')
  audit(@Query() query: unknown): unknown {
    return writeAuditPage(this.admission.audit(readAs(auditPage, query).after));
  }
}

/** What a gateway has for the other services; for `internalModule`. */
export function admissionInternal({ admission }: { admission: MemoryAdmission }): { controllers: Type[]; providers: Provider[] } {
  return {
    controllers: [AdmissionController],
    providers: [
      { provide: MemoryAdmission, useValue: admission },
      { provide: UnpostedPages, useValue: new UnpostedPages({ admission }) },
    ],
  };
}
