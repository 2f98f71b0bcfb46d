import type { KeyRecord } from '@tokone/account-client';
import type { UsageRecorded } from '@tokone/events';
import { SPOOL_RECORD, writeUsageRecorded } from '@tokone/events';
import { noTokens, traceparentOf } from '@tokone/protocol';
import type { Dialect, GatewayError, Uuid7Source } from '@tokone/protocol';
import type { Spool } from '@tokone/spool';
import type { Logger } from '@tokone/telemetry';

export interface RefusedRequest {
  requestId: string;
  /** Of its span; undefined when it is not recorded. */
  traceparent?: string | undefined;
  key: KeyRecord;
  dialect: Dialect;
  model: string;
  streamed: boolean;
  error: GatewayError;
  startedAtMs: number;
  requestBytes: number;
}

export interface RefusalRecordOptions {
  spool: Spool;
  ids: Uuid7Source;
  logger: Logger;
  now: () => number;
}

interface MinuteOfKey {
  minute: number;
  recorded: number;
  /** Refusals beyond those recorded one by one, counted by status and code in one event each. */
  counted: Map<string, UsageRecorded>;
}

/** Per key and minute so many refusals are recorded one by one; the rest is counted. */
const SINGLE_PER_MINUTE = 60;
const MAX_KEYS = 10_000;
const MAX_KINDS = 100;

/** Refusals after authentication, as events, so that a tenant sees every call with its status code. Costs nothing and is never charged. */
export class RefusalRecord {
  private readonly minutes = new Map<string, MinuteOfKey>();
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly options: RefusalRecordOptions) {
    this.timer = setInterval(() => this.flush(false), 60_000).unref();
  }

  add(refused: RefusedRequest): void {
    const minute = Math.floor(this.options.now() / 60_000);
    const entry = this.minuteOf(refused.key.keyId, minute);
    if (entry.recorded < SINGLE_PER_MINUTE) {
      entry.recorded++;
      this.append(refusalEvent(refused, this.options.now()));
      return;
    }
    const kind = kindOf(refused, entry);
    const counted = entry.counted.get(kind);
    if (counted) {
      counted.count++;
      counted.endedAtMs = this.options.now();
    } else {
      const id = this.options.ids.next();
      entry.counted.set(kind, { ...refusalEvent(refused, this.options.now()), id, traceparent: traceparentOf(id) });
    }
  }

  /** Writes what was counted in minutes that are over, or everything. */
  flush(all: boolean): void {
    const minute = Math.floor(this.options.now() / 60_000);
    for (const [keyId, entry] of this.minutes) {
      if (!all && entry.minute >= minute) continue;
      this.minutes.delete(keyId);
      for (const event of entry.counted.values()) this.append(event);
    }
  }

  close(): void {
    clearInterval(this.timer);
    this.flush(true);
  }

  private minuteOf(keyId: string, minute: number): MinuteOfKey {
    const known = this.minutes.get(keyId);
    if (known?.minute === minute) return known;
    for (const event of known?.counted.values() ?? []) this.append(event);
    if (!known && this.minutes.size >= MAX_KEYS) this.flush(true);
    const entry: MinuteOfKey = { minute, recorded: 0, counted: new Map() };
    this.minutes.set(keyId, entry);
    return entry;
  }

  /** A refusal that cannot be recorded is only missing from a list: no money hangs on it. */
  private append(event: UsageRecorded): void {
    const { spool, logger } = this.options;
    try {
      spool.append(SPOOL_RECORD.refused, event.id, writeUsageRecorded(event));
      spool.written({ spooled: () => undefined });
    } catch (error) {
      logger.warn({ requestId: event.id, cause: String(error) }, 'a refusal could not be recorded');
    }
  }
}

/** By code and model; model names come from the caller, so beyond so many kinds only the code is told apart. */
function kindOf({ error, model }: RefusedRequest, { counted }: MinuteOfKey): string {
  const kind = `${error.code} ${model.slice(0, 64)}`;
  return counted.has(kind) || counted.size < MAX_KINDS ? kind : error.code;
}

function refusalEvent(refused: RefusedRequest, nowMs: number): UsageRecorded {
  const { key, error } = refused;
  return {
    schema: 2,
    id: refused.requestId,
    traceparent: refused.traceparent ?? traceparentOf(refused.requestId),
    accountId: key.accountId,
    keyId: key.keyId,
    groupId: key.groupId,
    model: refused.model.slice(0, 256),
    dialect: refused.dialect,
    streamed: refused.streamed,
    status: error.status,
    outcome: 'refused',
    errorCode: error.code,
    count: 1,
    tokens: noTokens(),
    units: {},
    serviceTier: null,
    estimated: false,
    odd: false,
    priceId: null,
    multiplierPpm: key.multiplierPpm,
    holdNanoUsd: 0n,
    grantNanoUsd: 0n,
    upstreamId: null,
    upstreamRequestId: null,
    rawUsage: null,
    startedAtMs: refused.startedAtMs,
    firstByteAtMs: null,
    endedAtMs: nowMs,
    requestBytes: refused.requestBytes,
    answerBytes: 0,
  };
}
