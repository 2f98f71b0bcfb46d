import { z } from 'zod';
import type { AnnouncedHold } from './redis-accounts.js';

/** Most accounts in one opening, and most requests in one question about them. */
export const MOST_OPENED = 1_000;
export const MOST_ASKED = 1_000;

/** Of a UUID. Its digits are not looked at: an id that is none finds nothing. */
const id = z.string().length(36);
const accountIds = z.array(id).min(1).max(MOST_OPENED);
const token = z.string().min(1).max(100);
const nanoUsd = z.string().regex(/^\d{1,19}$/).transform(BigInt);

/** Body of `account/admission/open`. */
export const openQuestion = z.object({ accountIds, waitMs: z.int().min(0).max(5_000) });

const openAnswer = z.object({ opened: z.array(z.object({ accountId: id, token })), unknown: z.array(id) });

/** Bodies of `gateway/admission/announce` and `gateway/admission/running`. */
export const announceQuestion = z.object({ accountIds, token });
export const runningQuestion = z.object({ requests: z.array(z.object({ accountId: id, requestId: id })).max(MOST_ASKED) });

const notReady = z.object({ ready: z.literal(false), waitingFor: z.string() });
const hold = z.object({ accountId: id, requestId: id, amountNanoUsd: nanoUsd, extendable: z.boolean(), whole: z.boolean() });
const announceAnswer = z.discriminatedUnion('ready', [notReady, z.object({ ready: z.literal(true), gatewayId: id, holds: z.array(hold) })]);
const runningAnswer = z.discriminatedUnion('ready', [notReady, z.object({ ready: z.literal(true), running: z.array(id) })]);

/** A gateway that cannot answer yet says what has to happen first, as a part of a sentence. */
export type NotReady = z.infer<typeof notReady>;
export type Announcement = NotReady | { ready: true; holds: ReadonlyMap<string, readonly AnnouncedHold[]> };
export type RunningAnswer = z.infer<typeof runningAnswer>;

export function writeOpenAnswer(tokens: ReadonlyMap<string, string | undefined>): object {
  const all = [...tokens];
  return {
    opened: all.flatMap(([accountId, opened]) => (opened === undefined ? [] : [{ accountId, token: opened }])),
    unknown: all.flatMap(([accountId, opened]) => (opened === undefined ? [accountId] : [])),
  };
}

export function readOpenAnswer(json: unknown): Map<string, string | undefined> {
  const { opened, unknown } = openAnswer.parse(json);
  return new Map<string, string | undefined>([...opened.map((one): [string, string] => [one.accountId, one.token]), ...unknown.map((accountId): [string, undefined] => [accountId, undefined])]);
}

export function writeAnnouncement(gatewayId: string, holds: ReadonlyMap<string, readonly AnnouncedHold[]>): object {
  const list = [...holds].flatMap(([accountId, some]) =>
    some.map(({ requestId, amountNanoUsd, extendable, whole }) => ({ accountId, requestId, amountNanoUsd: amountNanoUsd.toString(), extendable, whole })),
  );
  return { ready: true, gatewayId, holds: list };
}

export function readAnnouncement(json: unknown): Announcement {
  const answer = announceAnswer.parse(json);
  if (!answer.ready) return answer;
  const holds = new Map<string, AnnouncedHold[]>();
  for (const { accountId, ...announced } of answer.holds) {
    const some = holds.get(accountId) ?? [];
    some.push({ ...announced, owner: answer.gatewayId });
    holds.set(accountId, some);
  }
  return { ready: true, holds };
}

export function readRunningAnswer(json: unknown): RunningAnswer {
  return runningAnswer.parse(json);
}
