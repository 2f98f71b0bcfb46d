import { HOLD_LEASE_MS } from '@tokone/admission';
import type { AnnouncedHold, Announcement } from '@tokone/admission';
import type { WalletBalance } from '@tokone/account-client';
import type { RaiseAlarm } from '../account-alarm.js';
import type { HeardGateway } from '../gateway-registry.js';
import type { FenceAnswer } from '../ledger-fence.js';
import type { CappedBalances } from './capped-balances.js';

/** What a round works with; see `AccountOpenings`. */
export interface OpeningParts {
  /** Redis. */
  accounts: {
    begin(accountId: string, opening: { token: string; replica: string; staleMs: number }): Promise<{ ready: string } | 'begun' | 'busy'>;
    announce(accountId: string, opening: { token: string; leaseMs: number }, holds: readonly AnnouncedHold[]): Promise<boolean>;
    open(accountId: string, token: string, balance: WalletBalance): Promise<boolean>;
  };
  /** The gateways that may hold balances. */
  gateways: { live(): Promise<HeardGateway[]> };
  /** Asks one of them. */
  clients: { announce(url: string, question: { accountIds: readonly string[]; token: string; deadlineMs: number }): Promise<Announcement> };
  fence: { pass(deadlineMs: number): Promise<FenceAnswer> };
  /** Notes accounts as open once, and returns those that never were before. */
  firstOpenings: { take(accountIds: readonly string[]): Promise<ReadonlySet<string>> };
  balances: { readAll(accountIds: readonly string[]): Promise<ReadonlyMap<string, WalletBalance>> };
  /** Told of each balance that an account is opened with. */
  capped: Pick<CappedBalances, 'note'>;
  raiseAlarm: RaiseAlarm;
  /** Milliseconds, monotonic. */
  now: () => number;
  /** Resolves after that many milliseconds. */
  pause: (ms: number) => Promise<unknown>;
}

/** A gateway that was not heard of for so long is not waited for. What it holds then is bounded by the ledger's last wall. */
const SILENT_MS = 3_000;
/** For one answer; a gateway waits a second of it for its log. */
const ANSWER_MS = 1_500;
/** For an answer of one that left the question before unanswered, however little is missing until it counts as silent. */
const LEAST_ANSWER_MS = 250;
/** For all gateways to be heard, the fence included. A round that takes longer begins anew. */
const ROUND_MS = 15_000;
const RETRY_MS = 50;
const AT_ONCE = 64;

/**
 * Opens accounts that were begun with one token. First every gateway tells what it holds of them, and keeps from then on
 * to this opening; what it has closed is in the usage log by then. Only then the fence is passed, and only behind the
 * fence balances are read. So what was charged is in the balance, and what runs is among the holds.
 * @throws an Error with what is waited for when that takes too long.
 */
export async function openRound(parts: OpeningParts, token: string, accountIds: readonly string[]): Promise<Opened> {
  const endMs = parts.now() + ROUND_MS;
  const holds = await hearGateways(parts, { token, accountIds, endMs });
  const answer = await parts.fence.pass(Math.max(0, endMs - parts.now()));
  if (!answer.passed) throw new Error(`accounts cannot be opened yet: waiting for ${answer.waitingFor}`);
  return openAll(parts, token, { accountIds, holds });
}

/** Accounts that are open now, and why others are not: one of several nodes of Redis may be away. */
export interface Opened {
  accountIds: ReadonlySet<string>;
  failures: readonly unknown[];
}

/** Opens accounts of which nothing is on its way and nothing runs but these holds. */
export async function openAll(parts: Pick<OpeningParts, 'accounts' | 'balances' | 'capped'>, token: string, { accountIds, holds }: { accountIds: readonly string[]; holds: ReadonlyMap<string, readonly AnnouncedHold[]> }): Promise<Opened> {
  const balances = await parts.balances.readAll(accountIds);
  const opened = new Set<string>();
  const failures = await eachOf(accountIds, async (accountId) => {
    const balance = balances.get(accountId);
    if (balance === undefined) return;
    const announced = await parts.accounts.announce(accountId, { token, leaseMs: HOLD_LEASE_MS }, holds.get(accountId) ?? []);
    if (!announced || !(await parts.accounts.open(accountId, token, balance))) return;
    opened.add(accountId);
    parts.capped.note(accountId, balance.balanceNanoUsd);
  });
  return { accountIds: opened, failures };
}

interface Hearing {
  token: string;
  accountIds: readonly string[];
  endMs: number;
}

/** Holds of all gateways that are there, by account. A run of a gateway that joins meanwhile is heard too. */
async function hearGateways(parts: OpeningParts, { token, accountIds, endMs }: Hearing): Promise<Map<string, AnnouncedHold[]>> {
  const heard = new Set<string>();
  const unanswering = new Set<string>();
  const holds = new Map<string, AnnouncedHold[]>();
  for (;;) {
    const missing = (await parts.gateways.live()).filter(({ instanceId }) => !heard.has(instanceId));
    if (missing.length === 0) return holds;
    const obstacles = await Promise.all(
      missing.map(async (gateway) => {
        const answer = await ask(parts, gateway, { token, accountIds, deadlineMs: answerDeadlineMs(gateway, unanswering.has(gateway.instanceId)) });
        if (answer.ready || answer.answered) unanswering.delete(gateway.instanceId);
        else unanswering.add(gateway.instanceId);
        if (!answer.ready && !isSilent(gateway, answer.answered)) return `gateway ${gateway.gatewayId}: ${answer.waitingFor}`;
        heard.add(gateway.instanceId);
        if (answer.ready) collect(holds, answer.holds);
        else parts.raiseAlarm({ kind: 'gateway_not_heard', gatewayId: gateway.gatewayId, accounts: accountIds.length, silentMs: Math.round(gateway.silentMs) });
        return undefined;
      }),
    );
    const obstacle = obstacles.find((one) => one !== undefined);
    if (obstacle !== undefined && parts.now() >= endMs) throw new Error(`accounts cannot be opened yet: waiting for ${obstacle}`);
    if (obstacle !== undefined) await parts.pause(RETRY_MS);
  }
}

/** One that answers is alive, however late its heartbeat. */
function isSilent({ silentMs }: HeardGateway, answered: boolean): boolean {
  return !answered && silentMs >= SILENT_MS;
}

/**
 * One that is frozen keeps every question open to its end. Hence after the first such question no later one lasts
 * longer than until it counts as silent, and it is asked once more then: the round goes on within 3.5 s of its last
 * heartbeat, or within one question when that is long ago. The first one always has its full time, since after an
 * outage of the account service itself the heartbeats of all gateways are old.
 */
function answerDeadlineMs({ silentMs }: HeardGateway, leftUnanswered: boolean): number {
  return leftUnanswered ? Math.min(ANSWER_MS, Math.max(LEAST_ANSWER_MS, Math.ceil(SILENT_MS - silentMs))) : ANSWER_MS;
}

type Asked = { ready: true; holds: ReadonlyMap<string, readonly AnnouncedHold[]> } | { ready: false; waitingFor: string; answered: boolean };

async function ask(parts: OpeningParts, { url }: HeardGateway, question: { token: string; accountIds: readonly string[]; deadlineMs: number }): Promise<Asked> {
  try {
    const answer = await parts.clients.announce(url, question);
    return answer.ready ? answer : { ...answer, answered: true };
  } catch (error) {
    return { ready: false, waitingFor: `no answer (${(error as Error).message})`, answered: false };
  }
}

function collect(holds: Map<string, AnnouncedHold[]>, more: ReadonlyMap<string, readonly AnnouncedHold[]>): void {
  for (const [accountId, some] of more) {
    const known = holds.get(accountId);
    if (known) known.push(...some);
    else holds.set(accountId, [...some]);
  }
}

/** A bounded number at a time. What fails of one is no reason to leave out the others. @returns the failures */
export async function eachOf<Item>(items: Iterable<Item>, act: (item: Item) => Promise<void>): Promise<unknown[]> {
  const waiting = items[Symbol.iterator]();
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (let next = waiting.next(); !next.done; next = waiting.next()) await act(next.value).catch((error: unknown) => failures.push(error));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return failures;
}
