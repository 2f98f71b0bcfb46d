import type { PriceBook } from '@tokone/billing-client';
import type { ExtendPayload, OpenPayload, ProgressPayload, UsageRecorded } from '@tokone/events';
import { SPOOL_RECORD, writeUsageRecorded } from '@tokone/events';
import { rateUsage, readServiceTier } from '@tokone/pricing';
import { noTokens } from '@tokone/protocol';
import type { TokenUsage } from '@tokone/protocol';
import type { Orphan, Spool } from '@tokone/spool';
import type { Logger } from '@tokone/telemetry';

export interface RecoveryOptions {
  spool: Spool;
  prices: PriceBook;
  logger: Logger;
  now: () => number;
}

/** What is written at a time; the spool's group buffer must not hold a whole crash. */
const BATCH = 500;

/**
 * Closes what a crash left open, before anything is served. Only the spool decides: without a PROGRESS record nothing
 * had reached the client and nothing is charged; else the input and the output of the last record, marked estimated,
 * at most what was held. Idempotent: a second crash in the middle finds some closed and the rest still open.
 */
export async function recoverOrphans(options: RecoveryOptions): Promise<number> {
  const { spool, logger } = options;
  let closed = 0;
  for (const orphan of spool.orphans) {
    const event = await crashEvent(orphan, options);
    if (event === undefined) {
      logger.error({ requestId: orphan.id }, 'the OPEN record of an orphan cannot be read; it is not charged');
      continue;
    }
    spool.append(SPOOL_RECORD.close, orphan.id, writeUsageRecorded(event));
    if (++closed % BATCH === 0) await written(spool);
  }
  await written(spool);
  if (closed > 0) logger.warn({ closed }, 'requests that a crash had left open were closed');
  return closed;
}

function written(spool: Spool): Promise<void> {
  return new Promise((resolve, reject) => spool.written({ spooled: (error) => (error ? reject(error) : resolve()) }));
}

async function crashEvent(orphan: Orphan, { prices, now }: RecoveryOptions): Promise<UsageRecorded | undefined> {
  const open = parse<OpenPayload>(orphan.open);
  if (open === undefined) return undefined;
  const progress = orphan.progress === undefined ? undefined : parse<ProgressPayload>(orphan.progress);
  const held = BigInt((orphan.extend === undefined ? undefined : parse<ExtendPayload>(orphan.extend))?.holdNanoUsd ?? open.holdNanoUsd);
  const tokens: TokenUsage = progress ? { ...noTokens(), ...progress.tokens } : noTokens();
  return {
    schema: 1,
    id: orphan.id,
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
    holdNanoUsd: held,
    grantNanoUsd: progress ? await grantOf(open, tokens, { held, prices }) : 0n,
    upstreamId: null,
    upstreamRequestId: null,
    rawUsage: null,
    startedAtMs: open.startedAtMs,
    firstByteAtMs: null,
    endedAtMs: Math.max(now(), open.startedAtMs),
    requestBytes: open.requestBytes,
    answerBytes: 0,
  };
}

/** The balance covered the hold when it was taken, so nothing beyond it may be granted now. */
async function grantOf(open: OpenPayload, tokens: TokenUsage, { held, prices }: { held: bigint; prices: PriceBook }): Promise<bigint> {
  const price = await prices.byId(open.priceId);
  if (!price) return held;
  try {
    const { amountNanoUsd } = rateUsage(price, { tokens, units: {}, tier: readServiceTier(open.serviceTier), multiplierPpm: open.multiplierPpm });
    return amountNanoUsd < held ? amountNanoUsd : held;
  } catch {
    return held;
  }
}

function parse<Payload>(text: string): Payload | undefined {
  try {
    return JSON.parse(text) as Payload;
  } catch {
    return undefined;
  }
}
