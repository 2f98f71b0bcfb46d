import type { Provider, Type } from '@nestjs/common';
import type { AccountFeature } from '../account-feature.js';
import { LocalAccountDirectory } from '../account-directory.js';
import { LocalBalanceSource } from '../balance-source.js';
import { PostgresGatewayRegistry } from '../gateway-registry.js';
import { AccountOpenings } from '../admission/account-openings.js';
import { LocalUpstreamDirectory } from '../upstream-directory.js';
import { DirectoryController } from './directory.controller.js';
import { GatewaysController } from './gateways.controller.js';
import { OpeningsController } from './openings.controller.js';

export interface AccountInternalParts {
  feature: AccountFeature;
  gateways: PostgresGatewayRegistry;
  openings: AccountOpenings;
}

/** What the account service has for the other services; for `internalModule`. */
export function accountInternal({ feature, gateways, openings }: AccountInternalParts): { controllers: Type[]; providers: Provider[] } {
  return {
    controllers: [DirectoryController, GatewaysController, OpeningsController],
    providers: [
      { provide: LocalAccountDirectory, useValue: feature.directory },
      { provide: LocalUpstreamDirectory, useValue: feature.upstreams },
      { provide: LocalBalanceSource, useValue: feature.balances },
      { provide: PostgresGatewayRegistry, useValue: gateways },
      { provide: AccountOpenings, useValue: openings },
    ],
  };
}
