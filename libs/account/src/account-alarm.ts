/** Something about money that a person should look at. Never carries a key, a credential or a prompt. */
export type AccountAlarm =
  /** The last wall: the wallet held less than the charge, so the rest is ours. `shortNanoUsd` > 0. */
  | { kind: 'wallet_exhausted'; chargeId: string; accountId: string; shortNanoUsd: bigint }
  /** The charge is kept in `dead_charges` and not posted. */
  | { kind: 'dead_charge'; chargeId: string; accountId: string; reason: DeadChargeReason }
  /** Admission did not take what was posted for these accounts; the sweeper repeats it. `error` is the first one. */
  | { kind: 'push_failed'; accountIds: readonly string[]; error: unknown }
  | { kind: 'sweep_failed'; error: unknown }
  /** Accounts were opened without asking a gateway that was silent. What it holds of them is bounded by the last wall. */
  | { kind: 'gateway_not_heard'; gatewayId: string; accounts: number; silentMs: number }
  /** Holds whose gateway knows nothing of them, or has been away for 15 minutes, were given back. */
  | { kind: 'holds_left_behind'; holds: number; accountIds: readonly string[] }
  /** Other services hear of changes only by asking again, until it works. */
  | { kind: 'changes_not_published'; error: unknown }
  | { kind: 'management_failed'; error: unknown };

export type DeadChargeReason =
  /** No wallet belongs to the account. */
  | 'unknown_account'
  /** The id was posted before, with other content. */
  | 'conflict'
  /** Amounts that no billing of ours writes: a charge above what was rated, or above a million USD. */
  | 'malformed';

export type RaiseAlarm = (alarm: AccountAlarm) => void;
