import type { Provider, Type } from '@nestjs/common';
import type { AccountFeature } from '../account-feature.js';
import { LocalAccountDirectory } from '../account-directory.js';
import { LocalBalanceSource } from '../balance-source.js';
import { PostgresGatewayRegistry } from '../gateway-registry.js';
import { FenceMeter } from '../fence-meter.js';
import { LedgerFence } from '../ledger-fence.js';
import { LocalUpstreamDirectory } from '../upstream-directory.js';
import { DirectoryController } from './directory.controller.js';
import { GatewaysController } from './gateways.controller.js';

export interface AccountInternalParts {
  feature: AccountFeature;
  gateways: PostgresGatewayRegistry;
  fence: LedgerFence;
}

/** What the account service has for the other services; for `internalModule`. */
export function accountInternal({ feature, gateways, fence }: AccountInternalParts): { controllers: Type[]; providers: Provider[] } {
  return {
    controllers: [DirectoryController, GatewaysController],
    providers: [
      { provide: LocalAccountDirectory, useValue: feature.directory },
      { provide: LocalUpstreamDirectory, useValue: feature.upstreams },
      { provide: LocalBalanceSource, useValue: feature.balances },
      { provide: PostgresGatewayRegistry, useValue: gateways },
      { provide: LedgerFence, useValue: fence },
      { provide: FenceMeter, useValue: new FenceMeter(feature.metrics) },
    ],
  };
}
