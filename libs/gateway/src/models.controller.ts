import { Controller, Get, Inject, NotFoundException, Param, Req } from '@nestjs/common';
import type { KeyRecord } from '@tokone/account-client';
import type { PriceSnapshot } from '@tokone/pricing';
import { GatewayError } from '@tokone/protocol';
import type { IncomingMessage } from 'node:http';
import { requireActiveAccount } from './authenticator.js';
import { dialectOfCaller } from './dialect-of-caller.js';
import { Gateway } from './gateway.js';
import { writeModel, writeModelList } from './model-list.js';

interface RawRequest {
  raw: IncomingMessage;
}

/** The models that a key can call, in the shape that the caller's SDK reads. */
@Controller()
export class ModelsController {
  constructor(@Inject(Gateway) private readonly gateway: Gateway) {}

  @Get(['/v1/models', '/models', '/v1beta/models'])
  async list(@Req() request: RawRequest): Promise<unknown> {
    return writeModelList(this.dialect(request), this.modelsOf(await this.keyOf(request)));
  }

  @Get(['/v1/models/:model', '/models/:model', '/v1beta/models/:model'])
  async find(@Req() request: RawRequest, @Param('model') name: string): Promise<unknown> {
    // `models/x:generateContent` is no model but an action, with a method of its own.
    if (name.includes(':')) throw new NotFoundException();
    const model = this.modelsOf(await this.keyOf(request)).find((candidate) => candidate.model === name);
    if (!model) throw new GatewayError('unknown_model', `Model "${name.slice(0, 100)}" is not among those of this key. GET /v1/models lists them.`, { field: 'model' });
    return writeModel(this.dialect(request), model);
  }

  private async keyOf({ raw }: RawRequest): Promise<KeyRecord> {
    const key = await this.gateway.authenticator.authenticate(raw.rawHeaders);
    requireActiveAccount(key);
    return key;
  }

  private dialect({ raw }: RawRequest) {
    return dialectOfCaller(raw.url ?? '/', raw.headers);
  }

  private modelsOf(key: KeyRecord): PriceSnapshot[] {
    return this.gateway.ports.prices.models().filter((price) => price.platform === key.platform && (key.models?.has(price.model) ?? true));
  }
}
