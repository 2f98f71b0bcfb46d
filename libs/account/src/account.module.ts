import { type DynamicModule, Module } from '@nestjs/common';
import { Uuid7Source } from '@tokone/protocol';
import type { AccountFeature } from './account-feature.js';
import { Accounts } from './accounts.js';
import { ChargeWaivers } from './billed-charges.js';
import type { BilledCharges } from './billed-charges.js';
import { Groups } from './groups.js';
import { Keys } from './keys.js';
import { Limits } from './limits.js';
import type { LedgerService } from './ledger-service.js';
import { AccountsController } from './management/accounts.controller.js';
import { ChargeExplanation, ChargesController } from './management/charges.controller.js';
import { GroupsController } from './management/groups.controller.js';
import { KeysController } from './management/keys.controller.js';
import { LimitsController } from './management/limits.controller.js';
import { ManagementErrorFilter, ManagementFailureReporter } from './management/management-error.filter.js';
import { ReconciliationController } from './management/reconciliation.controller.js';
import { OperatorGuard, OperatorToken } from './management/operator.guard.js';
import { UsersController } from './management/users.controller.js';
import { ReconciliationService } from './reconciliation/reconciliation-service.js';
import { TopUps } from './top-ups.js';
import { Transfers } from './transfers.js';
import { Users } from './users.js';

export interface AccountModuleOptions {
  feature: AccountFeature;
  ledger: LedgerService;
  reconciliation: ReconciliationService;
  /** At least 32 characters, random. */
  operatorToken: string;
  billed: BilledCharges;
}

/**
 * The management API of accounts. It belongs on a listener of the loopback interface. Starting and stopping the
 * ledger is the main's, since the order of a drain is.
 */
@Module({})
export class AccountModule {
  static with({ feature, ledger, reconciliation, operatorToken, billed }: AccountModuleOptions): DynamicModule {
    return {
      module: AccountModule,
      controllers: [AccountsController, KeysController, UsersController, LimitsController, GroupsController, ChargesController, ReconciliationController],
      providers: [
        OperatorGuard,
        ManagementErrorFilter,
        { provide: OperatorToken, useValue: new OperatorToken(operatorToken) },
        { provide: ManagementFailureReporter, useValue: new ManagementFailureReporter(feature.parts.raiseAlarm) },
        { provide: ChargeExplanation, useValue: new ChargeExplanation(billed) },
        { provide: ChargeWaivers, useValue: new ChargeWaivers(feature.parts.pool, billed) },
        { provide: Uuid7Source, useValue: feature.parts.ids },
        { provide: Accounts, useValue: feature.accounts },
        { provide: Keys, useValue: feature.keys },
        { provide: Users, useValue: feature.users },
        { provide: Limits, useValue: feature.limits },
        { provide: Groups, useValue: feature.groups },
        { provide: Transfers, useValue: feature.transfers },
        { provide: ReconciliationService, useValue: reconciliation },
        { provide: TopUps, useValue: ledger.topUps },
      ],
      exports: [ManagementErrorFilter],
    };
  }
}
