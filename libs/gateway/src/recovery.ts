import type { Admission } from '@tokone/admission';
import type { PriceBook } from '@tokone/billing-client';
import type { ExtendPayload, OpenPayload, ProgressPayload, UsageRecorded } from '@tokone/events';
import { SPOOL_RECORD, readUsageRecorded, writeUsageRecorded } from '@tokone/events';
import { rateUsage, readServiceTier } from '@tokone/pricing';
import { noTokens, traceparentOf } from '@tokone/protocol';
import type { TokenUsage } from '@tokone/protocol';
import type { Orphan, Spool } from '@tokone/spool';
import type { GatewayMetrics, Logger } from '@tokone/telemetry';

export interface RecoveryOptions {
  spool: Spool;
  prices: PriceBook;
  admission: Pick<Admission, 'adopt' | 'settle'>;
  logger: Logger;
  now: () => number;
  /** Milliseconds that only go forwards. */
  monotonicNow: () => number;
  /** Default: nobody counts. */
  metrics?: Pick<GatewayMetrics, 'alarm'>;
}

/** What is written at a time; the spool's group buffer must not hold a whole crash. */
const BATCH = 500;
const SETTLE_RETRY_MS = 100;
/** For admission to answer. Without an answer the hold is the bound, as it is for a running request. */
const SETTLE_DEADLINE_MS = 60_000;

/** Makes what a crash left open known to admission as held, before anything is closed. */
export function adoptOrphans({ spool, admission, now }: Pick<RecoveryOptions, 'spool' | 'admission' | 'now'>): void {
  for (const orphan of spool.orphans) {
    const event = readCrash(orphan, now());
    if (event) admission.adopt({ accountId: event.accountId, requestId: event.id, heldNanoUsd: event.holdNanoUsd });
  }
}

/**
 * Closes what a crash left open, before anything is served. Only the spool decides: without a PROGRESS record nothing
 * had reached the client and nothing is charged; else the input and the output of the last record, marked estimated,
 * at most what was held. It is settled first: the run that crashed may have settled for less than it held, and somebody
 * else has the rest by now. An orphan whose records cannot be read is taken back: one alarm, and nothing is charged.
 * Idempotent: a second crash in the middle finds some closed and the rest still open.
 */
export async function recoverOrphans(options: RecoveryOptions): Promise<number> {
  const { spool, logger } = options;
  const giveUpAtMs = options.monotonicNow() + SETTLE_DEADLINE_MS;
  let closed = 0;
  for (const orphan of spool.orphans) {
    const close = await closePayload(orphan, options, giveUpAtMs);
    if (close === undefined) {
      logger.error({ requestId: orphan.id }, 'the records of a request that a crash left open cannot be read; it is not charged');
      options.metrics?.alarm('orphan_unreadable');
      spool.takeBack(orphan.id);
    } else spool.append(SPOOL_RECORD.close, orphan.id, close);
    if (++closed % BATCH === 0) await written(spool);
  }
  await written(spool);
  if (closed > 0) logger.warn({ closed }, 'requests that a crash had left open were closed');
  return closed;
}

function written(spool: Spool): Promise<void> {
  return new Promise((resolve, reject) => spool.written({ spooled: (error) => (error ? reject(error) : resolve()) }));
}

/** Its CLOSE, or undefined when its records do not make an event. A failure of the price book is thrown, and the start ends. */
async function closePayload(orphan: Orphan, options: RecoveryOptions, giveUpAtMs: number): Promise<string | undefined> {
  const event = readCrash(orphan, options.now());
  if (!event) return undefined;
  const costNanoUsd = event.estimated ? await costOf(event, options.prices) : 0n;
  return writeUsageRecorded({ ...event, grantNanoUsd: await settle(event, costNanoUsd, { ...options, giveUpAtMs }) });
}

/** Admission that does not know the account yet opens it meanwhile. */
async function settle({ id: requestId, accountId, holdNanoUsd }: UsageRecorded, costNanoUsd: bigint, options: RecoveryOptions & { giveUpAtMs: number }): Promise<bigint> {
  const { admission, monotonicNow, giveUpAtMs, logger } = options;
  for (;;) {
    try {
      const grantNanoUsd = await admission.settle(accountId, { requestId, costNanoUsd, heldNanoUsd: holdNanoUsd, mayBeLess: true });
      return grantNanoUsd < costNanoUsd ? grantNanoUsd : costNanoUsd;
    } catch (cause) {
      if (monotonicNow() < giveUpAtMs) await new Promise((resolve) => setTimeout(resolve, SETTLE_RETRY_MS));
      else {
        logger.warn({ requestId, cause: String(cause) }, 'admission does not answer; what a crash left open is charged up to its hold');
        // As with a running request: the driver repeats it, and gives up the hold that it was told of.
        await admission.settle(accountId, { requestId, costNanoUsd, heldNanoUsd: holdNanoUsd }).catch(() => undefined);
        return costNanoUsd;
      }
    }
  }
}

function readCrash(orphan: Orphan, nowMs: number): UsageRecorded | undefined {
  try {
    // Written and read once more: what billing could not read must not become a CLOSE.
    return readUsageRecorded(writeUsageRecorded(crashEvent(orphan, nowMs)));
  } catch {
    return undefined;
  }
}

/** Without its grant. */
function crashEvent(orphan: Orphan, nowMs: number): UsageRecorded {
  const open = JSON.parse(orphan.open) as OpenPayload;
  const progress = orphan.progress === undefined ? undefined : (JSON.parse(orphan.progress) as ProgressPayload);
  const extend = orphan.extend === undefined ? undefined : (JSON.parse(orphan.extend) as ExtendPayload);
  const tokens: TokenUsage = progress ? { ...noTokens(), ...progress.tokens } : noTokens();
  return {
    schema: 2,
    id: orphan.id,
    traceparent: traceparentOf(orphan.id),
    accountId: open.accountId,
    keyId: open.keyId,
    groupId: open.groupId,
    model: open.model,
    dialect: open.dialect,
    streamed: open.streamed,
    status: progress?.status ?? 500,
    outcome: 'gateway_crash',
    errorCode: 'internal_error',
    count: 1,
    tokens,
    units: {},
    serviceTier: open.serviceTier,
    estimated: progress !== undefined,
    odd: false,
    priceId: open.priceId,
    multiplierPpm: open.multiplierPpm,
    holdNanoUsd: BigInt((extend ?? open).holdNanoUsd),
    grantNanoUsd: 0n,
    upstreamId: null,
    upstreamRequestId: null,
    rawUsage: null,
    startedAtMs: open.startedAtMs,
    firstByteAtMs: null,
    endedAtMs: Math.max(nowMs, open.startedAtMs),
    requestBytes: open.requestBytes,
    answerBytes: 0,
  };
}

/** The balance covered the hold when it was taken, so nothing beyond it may be charged now. */
async function costOf(event: UsageRecorded, prices: PriceBook): Promise<bigint> {
  const { tokens, units, multiplierPpm, holdNanoUsd } = event;
  const price = event.priceId === null ? undefined : await prices.byId(event.priceId);
  if (!price) return holdNanoUsd;
  try {
    const { amountNanoUsd } = rateUsage(price, { tokens, units, tier: readServiceTier(event.serviceTier), multiplierPpm });
    return amountNanoUsd < holdNanoUsd ? amountNanoUsd : holdNanoUsd;
  } catch {
    return holdNanoUsd;
  }
}
