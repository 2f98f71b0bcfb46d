import { Controller, Get, Inject, Query } from '@nestjs/common';
import { writeCurrentPrices, writeOnePrice } from '@tokone/billing-client';
import { readAs } from '@tokone/service';
import { z } from 'zod';
import { LocalPriceBook } from '../price-book.js';

const versionSchema = z.coerce.number().int().min(0).optional();
const idSchema = z.string().max(512);

/** The price book, for gateways. */
@Controller('internal/billing/prices')
export class PricesController {
  constructor(@Inject(LocalPriceBook) private readonly prices: LocalPriceBook) {}

  /** Without prices when the caller has this version already. */
  @Get()
  current(@Query('version') version: unknown): unknown {
    const known = readAs(versionSchema, version);
    const { prices } = this;
    return writeCurrentPrices(prices.version, known === prices.version ? null : prices.models());
  }

  @Get('by-id')
  async byId(@Query('id') id: unknown): Promise<unknown> {
    return writeOnePrice(await this.prices.byId(readAs(idSchema, id)));
  }
}
