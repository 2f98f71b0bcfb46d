import { SPOOL_RECORD, writeUsageRecorded } from '@tokone/events';
import type { OpenPayload, ProgressPayload, UsageRecorded } from '@tokone/events';
import { Uuid7Source, noTokens, traceparentOf } from '@tokone/protocol';
import type { Spool } from '@tokone/spool';
import { FLAT_MODELS, flatNanoUsd } from '@tokone/testing';

export interface SpoolPlan {
  /** Deliveries, repeated ones included. */
  deliveries: number;
  /** Share of them that come a second time, 0 to 1; half of these within the next twenty. */
  repeatedShare: number;
  accountIds: readonly string[];
  seed: number;
}

/** What the deliveries of a plan must come to. Nano-USD as decimal strings. */
export interface SpoolTotals {
  /** Different events. */
  events: number;
  nanoUsdByAccount: Record<string, string>;
  /** Of the text of one event. */
  eventBytes: number;
}

/** The only price of the flat price file's first version. */
const PRICE_ID = `1/${FLAT_MODELS.openai}`;
const GROUP_ID = '01890000-0000-7000-8000-000000000002';
const NEAR = 20;
const PER_TURN = 1_000;
const HOLD_NANO_USD = 20_000_000n;

/**
 * Appends what a gateway writes for so many answers: OPEN, PROGRESS and CLOSE; a repetition is a second CLOSE. The
 * same plan gives the same amounts. @returns what must be posted in the end
 */
export async function fillSpool(spool: Spool, plan: SpoolPlan): Promise<SpoolTotals> {
  const random = seededRandom(plan.seed);
  const ids = new Uuid7Source(() => Date.now());
  const deliveries = deliveryOrder(plan, random);
  const texts = new Map<number, { id: string; text: string }>();
  const sums = new Map<string, bigint>();
  let eventBytes = 0;
  for (const [position, event] of deliveries.entries()) {
    const known = texts.get(event);
    if (known) {
      spool.append(SPOOL_RECORD.close, known.id, known.text);
    } else {
      const { accountIds } = plan;
      const index = Math.floor(random() * accountIds.length);
      const recorded = usageOf({ id: ids.next(), accountId: accountIds[index] ?? '', outputTokens: 1 + Math.floor(random() * 400) });
      const text = writeUsageRecorded(recorded);
      appendAnswer(spool, recorded, text);
      texts.set(event, { id: recorded.id, text });
      sums.set(recorded.accountId, (sums.get(recorded.accountId) ?? 0n) + recorded.grantNanoUsd);
      eventBytes += text.length;
    }
    if (position % PER_TURN === PER_TURN - 1) await written(spool);
  }
  await written(spool);
  return { events: texts.size, nanoUsdByAccount: Object.fromEntries([...sums].map(([id, sum]) => [id, sum.toString()])), eventBytes: Math.round(eventBytes / Math.max(1, texts.size)) };
}

/** Numbers of events in the order of their deliveries: some twice, half of those close by, the others anywhere later. */
function deliveryOrder({ deliveries, repeatedShare }: SpoolPlan, random: () => number): number[] {
  const repeated = Math.round(deliveries * repeatedShare);
  const events = deliveries - repeated;
  const placed = Array.from({ length: events }, (_, event) => ({ event, at: event }));
  for (let repetition = 0; repetition < repeated; repetition++) {
    const event = Math.floor(random() * events);
    const distance = repetition % 2 === 0 ? random() * NEAR : random() * (events - event);
    placed.push({ event, at: event + 0.5 + distance });
  }
  return placed.sort((one, other) => one.at - other.at).map(({ event }) => event);
}

function usageOf({ id, accountId, outputTokens }: { id: string; accountId: string; outputTokens: number }): UsageRecorded {
  const endedAtMs = Date.now();
  return {
    schema: 2,
    id,
    traceparent: traceparentOf(id),
    accountId,
    // A key for each account: the rollup has as many rows as it would have.
    keyId: accountId,
    groupId: GROUP_ID,
    model: FLAT_MODELS.openai,
    dialect: 'openai-chat',
    streamed: true,
    status: 200,
    outcome: 'completed',
    errorCode: null,
    count: 1,
    tokens: { ...noTokens(), input: 180, output: outputTokens },
    units: {},
    serviceTier: null,
    estimated: false,
    odd: false,
    priceId: PRICE_ID,
    multiplierPpm: 1_000_000,
    holdNanoUsd: HOLD_NANO_USD,
    grantNanoUsd: flatNanoUsd(outputTokens),
    upstreamId: '01890000-0000-7000-8000-000000000004',
    upstreamRequestId: `chatcmpl-${id}`,
    rawUsage: `{"prompt_tokens":180,"completion_tokens":${outputTokens},"total_tokens":${180 + outputTokens},"prompt_tokens_details":{"cached_tokens":0}}`,
    startedAtMs: endedAtMs - 1_500,
    firstByteAtMs: endedAtMs - 1_200,
    endedAtMs,
    requestBytes: 812,
    answerBytes: 14_200,
  };
}

function appendAnswer(spool: Spool, event: UsageRecorded, text: string): void {
  const { id, accountId, keyId, groupId, model, dialect, streamed, multiplierPpm, startedAtMs, requestBytes, tokens, status } = event;
  const open: OpenPayload = { accountId, keyId, groupId, model, dialect, streamed, priceId: PRICE_ID, multiplierPpm, holdNanoUsd: event.holdNanoUsd.toString(), estimatedInputTokens: 190, serviceTier: null, startedAtMs, requestBytes };
  const progress: ProgressPayload = { tokens: { input: tokens.input }, status };
  spool.append(SPOOL_RECORD.open, id, JSON.stringify(open));
  spool.append(SPOOL_RECORD.progress, id, JSON.stringify(progress));
  spool.append(SPOOL_RECORD.close, id, text);
}

function written(spool: Spool): Promise<void> {
  return new Promise((resolve, reject) => spool.written({ spooled: (error) => (error ? reject(error as Error) : resolve()) }));
}

/** A linear congruential generator: the same seed, the same numbers. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
