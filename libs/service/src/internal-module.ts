import { BadRequestException } from '@nestjs/common';
import type { DynamicModule, Provider, Type } from '@nestjs/common';
import { APP_FILTER, APP_GUARD } from '@nestjs/core';
import type { Logger } from '@tokone/telemetry';
import { InternalErrorFilter, InternalFailureLog } from './internal-error.filter.js';
import { InternalGuard, InternalSecret } from './internal.guard.js';

/** Names the module in Nest's own words; it has no content of its own. */
class InternalRoot {}

export interface InternalModuleOptions {
  secret: string;
  logger: Logger;
  controllers: Type[];
  providers: Provider[];
}

/** The routes that a service has for other services: none of them without the secret, all failures in one form. */
export function internalModule({ secret, logger, controllers, providers }: InternalModuleOptions): DynamicModule {
  return {
    module: InternalRoot,
    controllers,
    providers: [
      ...providers,
      { provide: InternalSecret, useValue: new InternalSecret(secret) },
      { provide: InternalFailureLog, useValue: new InternalFailureLog(logger) },
      { provide: APP_GUARD, useClass: InternalGuard },
      { provide: APP_FILTER, useClass: InternalErrorFilter },
    ],
  };
}

/** The parsed body or parameter, or 400 with the first thing that is wrong with it. */
export function readAs<Output>(schema: { parse(value: unknown): Output }, value: unknown): Output {
  try {
    return schema.parse(value);
  } catch (cause) {
    throw new BadRequestException(`The request cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
