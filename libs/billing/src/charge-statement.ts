import type { UsageOutcome } from '@tokone/events';
import type { Pool } from '@tokone/persistence';
import { rateUsage, readServiceTier } from '@tokone/pricing';
import type { ChargeLine, PriceSnapshot, ServiceTier } from '@tokone/pricing';
import type { TokenUsage } from '@tokone/protocol';
import type { LocalPriceBook } from './price-book.js';
import { REASONS_OF_PRICE } from './rate-event.js';

/** Everything that explains one charge. Money in nano-USD. */
export interface RatedStatement {
  state: 'rated';
  requestId: string;
  accountId: string;
  keyId: string;
  groupId: string;
  model: string;
  dialect: string;
  streamed: boolean;
  status: number;
  outcome: UsageOutcome;
  errorCode: string | null;
  /** The tokens are our own count, not the provider's. */
  estimated: boolean;
  /** The provider's numbers did not add up, or the times of the request could not be true. */
  odd: boolean;
  tokens: TokenUsage;
  units: Record<string, number>;
  /** The provider's word, and the tier whose prices were taken. */
  serviceTier: string | null;
  billedTier: ServiceTier;
  priceId: string | null;
  multiplierPpm: number;
  /** One per class and unit that was used, with its price; they add up to `ratedNanoUsd`. */
  lines: ChargeLine[];
  /** Recomputed now from the tokens and the price snapshot: always true, unless something was tampered with. */
  recomputed: boolean;
  listNanoUsd: bigint;
  ratedNanoUsd: bigint;
  holdNanoUsd: bigint;
  grantNanoUsd: bigint;
  chargeNanoUsd: bigint;
  /** What the deployment bears itself: rated − charge. */
  writeOffNanoUsd: bigint;
  upstreamId: string | null;
  upstreamRequestId: string | null;
  rawUsage: string | null;
  startedAtMs: number;
  firstByteAtMs: number | null;
  endedAtMs: number;
  ratedAtMs: number;
  /** It was parked, and somebody decided that it costs nothing. Its tokens are those that are believed: none. */
  waived: WaivedStatement | null;
}

export interface WaivedStatement {
  /** Why it was parked. */
  reason: string;
  detail: string;
  by: string;
  why: string;
  atMs: number;
}

/** The request is known, but was not charged: its event waits for a decision. */
export interface ParkedStatement {
  state: 'parked';
  requestId: string;
  /** One of `PARK_REASONS`, and what exactly it was. */
  reason: string;
  detail: string;
  /** What will happen to it, or what the operator can do: a sentence. */
  remedy: string;
  parkedAtMs: number;
}

export type ChargeStatement = RatedStatement | ParkedStatement;

interface StatementRow extends Record<TokenColumn, bigint> {
  account_id: string;
  key_id: string;
  group_id: string;
  model: string;
  dialect: string;
  streamed: boolean;
  status: number;
  outcome: UsageOutcome;
  error_code: string | null;
  estimated: boolean;
  odd: boolean;
  units: Record<string, number> | null;
  service_tier: string | null;
  price_id: string | null;
  multiplier_ppm: bigint;
  list_nano_usd: bigint;
  rated_nano_usd: bigint;
  hold_nano_usd: bigint;
  grant_nano_usd: bigint;
  charge_nano_usd: bigint;
  upstream_id: string | null;
  upstream_request_id: string | null;
  raw_usage: string | null;
  started_at: Date;
  first_byte_at: Date | null;
  ended_at: Date;
  rated_at: Date;
  waived: WaivedStatement | null;
}

type TokenColumn =
  | 'input_tokens'
  | 'cache_read_tokens'
  | 'cache_write_5m_tokens'
  | 'cache_write_1h_tokens'
  | 'input_audio_tokens'
  | 'output_tokens'
  | 'reasoning_tokens'
  | 'output_audio_tokens'
  | 'output_image_tokens';

/** Explains charges, for the operator's `charge show` and the console. */
export class ChargeStatements {
  constructor(
    private readonly pool: Pool,
    private readonly prices: LocalPriceBook,
  ) {}

  /** Undefined when billing has never seen the request (or has not yet). Throws when `requestId` is not a UUID. */
  async explainCharge(requestId: string): Promise<ChargeStatement | undefined> {
    const { rows } = await this.pool.query<StatementRow>(STATEMENT, [requestId]);
    const row = rows[0];
    if (row === undefined) return this.explainParked(requestId);
    const price = row.price_id === null ? undefined : await this.prices.byId(row.price_id);
    return readStatement(requestId, row, price);
  }

  private async explainParked(requestId: string): Promise<ParkedStatement | undefined> {
    const { rows } = await this.pool.query<{ reason: string; detail: string; parked_at: Date }>(
      'SELECT reason, detail, parked_at FROM billing.parked WHERE id = $1 ORDER BY parked_at LIMIT 1',
      [requestId],
    );
    const row = rows[0];
    return row && { state: 'parked', requestId, reason: row.reason, detail: row.detail, remedy: remedyOf(row.reason), parkedAtMs: row.parked_at.getTime() };
  }
}

const STATEMENT = `
  SELECT u.*, (
    SELECT json_build_object('reason', w.reason, 'detail', w.detail, 'by', w.waived_by, 'why', w.why, 'atMs', floor(extract(epoch FROM w.waived_at) * 1000))
    FROM billing.waived w WHERE w.id = u.id
  ) AS waived
  FROM billing.usage u WHERE u.id = $1`;

const PRICE_REMEDY =
  'State the missing price in the price file (TOKONE_PRICES_FILE) and start again: the request is then charged, at most its grant, within a minute. Or let it cost nothing: charge waive.';
const REVIEW_REMEDY = 'It is not charged by itself, because it cannot be right as it stands: look at the gateway that wrote it, then let it cost nothing: charge waive.';

function remedyOf(reason: string): string {
  return REASONS_OF_PRICE.some((priceless) => priceless === reason) ? PRICE_REMEDY : REVIEW_REMEDY;
}

function readStatement(requestId: string, row: StatementRow, price: PriceSnapshot | undefined): RatedStatement {
  const tokens = readTokens(row);
  const units = row.units ?? {};
  const billedTier = readServiceTier(row.service_tier);
  const multiplierPpm = Number(row.multiplier_ppm);
  const rated = price && rateUsage(price, { tokens, units, tier: billedTier, multiplierPpm });
  return {
    state: 'rated',
    requestId,
    accountId: row.account_id,
    keyId: row.key_id,
    groupId: row.group_id,
    model: row.model,
    dialect: row.dialect,
    streamed: row.streamed,
    status: row.status,
    outcome: row.outcome,
    errorCode: row.error_code,
    estimated: row.estimated,
    odd: row.odd,
    tokens,
    units,
    serviceTier: row.service_tier,
    billedTier,
    priceId: row.price_id,
    multiplierPpm,
    lines: rated?.lines ?? [],
    recomputed: (rated?.amountNanoUsd ?? 0n) === row.rated_nano_usd,
    listNanoUsd: row.list_nano_usd,
    ratedNanoUsd: row.rated_nano_usd,
    holdNanoUsd: row.hold_nano_usd,
    grantNanoUsd: row.grant_nano_usd,
    chargeNanoUsd: row.charge_nano_usd,
    writeOffNanoUsd: row.rated_nano_usd - row.charge_nano_usd,
    upstreamId: row.upstream_id,
    upstreamRequestId: row.upstream_request_id,
    rawUsage: row.raw_usage,
    startedAtMs: row.started_at.getTime(),
    firstByteAtMs: row.first_byte_at?.getTime() ?? null,
    endedAtMs: row.ended_at.getTime(),
    ratedAtMs: row.rated_at.getTime(),
    waived: row.waived,
  };
}

function readTokens(row: StatementRow): TokenUsage {
  return {
    input: Number(row.input_tokens),
    cacheRead: Number(row.cache_read_tokens),
    cacheWrite5m: Number(row.cache_write_5m_tokens),
    cacheWrite1h: Number(row.cache_write_1h_tokens),
    inputAudio: Number(row.input_audio_tokens),
    output: Number(row.output_tokens),
    reasoning: Number(row.reasoning_tokens),
    outputAudio: Number(row.output_audio_tokens),
    outputImage: Number(row.output_image_tokens),
  };
}
