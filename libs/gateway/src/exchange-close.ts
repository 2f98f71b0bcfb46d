import type { UsageRecorded } from '@tokone/events';
import { SPOOL_RECORD, writeUsageRecorded } from '@tokone/events';
import { rateUsage } from '@tokone/pricing';
import { GatewayError, totalInputTokens, totalOutputTokens, traceparentOf } from '@tokone/protocol';
import { measureExchange } from './exchange-measure.js';
import type { Exchange } from './exchange.js';
import { measureUsage } from './measured-usage.js';
import type { MeasuredUsage } from './measured-usage.js';
import { describeUsage } from './request-span.js';

/** Settles an exchange, writes its CLOSE record, and lets the client see the end once the record is in the spool. Never rejects. */
export async function closeExchange(exchange: Exchange): Promise<void> {
  noteCause(exchange);
  try {
    await settleAndClose(exchange);
  } catch (error) {
    closed(exchange, error);
  }
}

/** For the metrics; whoever left before has been counted. */
function noteCause({ outcome, error, answer }: Exchange): void {
  if (outcome === 'client_left') answer.note('client_left');
  else if (error) answer.note(error.code);
  else if (outcome === 'upstream_refused') answer.note('refused_by_provider');
}

async function settleAndClose(exchange: Exchange): Promise<void> {
  const { request, context } = exchange;
  const { logger, spool } = context.ports;
  const usage = measureUsage({
    scanner: exchange.scanner,
    outcome: exchange.outcome,
    delivered: exchange.delivered,
    estimatedInputTokens: request.plan.input.estimatedTokens,
    askedTier: request.plan.tier,
    price: request.plan.price,
  });
  const grantNanoUsd = await settle(exchange, costOf(exchange, usage), totalInputTokens(usage.tokens) + totalOutputTokens(usage.tokens));
  measureExchange(exchange, usage, grantNanoUsd);
  describeUsage(exchange, usage, grantNanoUsd);
  spool.append(SPOOL_RECORD.close, request.requestId, writeUsageRecorded(closeEvent(exchange, usage, grantNanoUsd)));
  spool.written({ spooled: (error) => closed(exchange, error) });
  if (usage.odd) logger.warn({ requestId: request.requestId, model: request.plan.model }, 'reported usage does not add up');
}

/** Without its record an answer must not look finished: the crash rule would not charge what the client saw whole. */
function closed(exchange: Exchange, error: unknown): void {
  if (error !== undefined && error !== null) {
    exchange.context.ports.logger.error({ requestId: exchange.request.requestId, cause: String(error) }, 'CLOSE could not be written');
    exchange.context.metrics.alarm('close_not_written');
    exchange.error ??= notRecorded(error);
  }
  exchange.finish();
}

export function notRecorded(cause: unknown): GatewayError {
  return new GatewayError('spool_unavailable', 'The usage of this answer cannot be recorded, so it ends here. Send the request again.', { cause });
}

/** What could not be rated is settled at its whole hold: billing parks it, and a later price never needs more. */
function costOf(exchange: Exchange, usage: MeasuredUsage): bigint {
  const { price } = exchange.request.plan;
  try {
    const { amountNanoUsd } = rateUsage(price, { tokens: usage.tokens, units: usage.units, tier: usage.tier, multiplierPpm: exchange.request.key.multiplierPpm });
    // More may have been read than the hold paid for, and that part never left: neither a top-up in this moment nor the rest of the balance must pay for it.
    return exchange.error !== undefined && exchange.watch.watching && amountNanoUsd > exchange.watch.held ? exchange.watch.held : amountNanoUsd;
  } catch (error) {
    exchange.context.ports.logger.error({ requestId: exchange.request.requestId, priceId: price.id, cause: String(error) }, 'usage cannot be rated');
    exchange.context.metrics.alarm('usage_not_rated');
    return exchange.watch.held;
  }
}

/** An admission that does not answer in time must not keep the answer: the hold so far is the bound, and the driver repeats the settle. */
function settle(exchange: Exchange, costNanoUsd: bigint, usedTokens: number): Promise<bigint> {
  const { ports, limits } = exchange.context;
  const { key, requestId } = exchange.request;
  const held = exchange.watch.held;
  const fallback = costNanoUsd < held ? costNanoUsd : held;
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(fallback), limits.settleTimeoutMs);
    const answer = (grantNanoUsd: bigint): void => {
      clearTimeout(timer);
      resolve(grantNanoUsd);
    };
    ports.admission.settle(key.accountId, { requestId, costNanoUsd, heldNanoUsd: held, usedTokens }).then(answer, () => answer(fallback));
  });
}

function closeEvent(exchange: Exchange, usage: MeasuredUsage, grantNanoUsd: bigint): UsageRecorded {
  const { request, head, error, context } = exchange;
  const { key, plan } = request;
  return {
    schema: 2,
    id: request.requestId,
    traceparent: request.span?.traceparent ?? traceparentOf(request.requestId),
    accountId: key.accountId,
    keyId: key.keyId,
    groupId: key.groupId,
    model: plan.model,
    dialect: request.dialect,
    streamed: plan.streamed,
    status: exchange.answer.headSent || !error ? (head?.status ?? 200) : error.status,
    outcome: exchange.outcome,
    errorCode: error?.code ?? null,
    count: 1,
    tokens: usage.tokens,
    units: usage.units,
    serviceTier: usage.tier,
    estimated: usage.estimated,
    odd: usage.odd,
    priceId: plan.price.id,
    multiplierPpm: key.multiplierPpm,
    holdNanoUsd: exchange.watch.held,
    grantNanoUsd,
    upstreamId: head?.upstreamId || null,
    // Gemini names its answer in the body alone.
    upstreamRequestId: head?.upstreamRequestId ?? exchange.scanner?.answerId ?? null,
    rawUsage: usage.raw,
    startedAtMs: request.startedAtMs,
    firstByteAtMs: exchange.firstByteAtMs ?? null,
    endedAtMs: context.ports.now(),
    requestBytes: request.requestBytes,
    answerBytes: exchange.answerBytes,
  };
}
