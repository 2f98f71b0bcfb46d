import type { UsageRecorded } from '@tokone/events';
import { plainArray, textArray } from './array-literal.js';
import type { ClockFault } from './event-times.js';
import type { RatedAmounts } from './rate-event.js';

/** A rated request on its way into the table. */
export interface UsageRow {
  /** With times that our clock believes, see `judgeTimes`. */
  event: UsageRecorded;
  clockFault: ClockFault | undefined;
  /** Hex, of the event as it came, see `hashContent`. */
  contentHash: string;
  /** The record as it came, and where: for the conflict table, should it be one. */
  raw: string;
  offset: bigint;
  amounts: RatedAmounts;
}

type Value = string | number | bigint | boolean | null;

interface Column {
  name: string;
  /** Element type of the array that is handed over. */
  type: 'uuid' | 'bigint' | 'boolean' | 'text';
  /** Turns the element into the column, where it is not it. */
  cast?: (element: string) => string;
  value: (row: UsageRow) => Value;
}

const plain = (name: string, type: Column['type'], value: Column['value']): Column => ({ name, type, value });
const text = (name: string, value: (event: UsageRecorded) => string | null): Column => ({ name, type: 'text', value: ({ event }) => value(event) });
const count = (name: string, value: (event: UsageRecorded) => number | bigint): Column => ({ name, type: 'bigint', value: ({ event }) => value(event) });
const time = (name: string, value: (event: UsageRecorded) => number | null): Column => ({
  name,
  type: 'bigint',
  cast: (element) => `to_timestamp(${element} / 1000.0)`,
  value: ({ event }) => value(event),
});

/** Every column that the consumer fills, in the order of the statement's parameters. */
const COLUMNS: readonly Column[] = [
  plain('id', 'uuid', ({ event }) => event.id),
  plain('account_id', 'uuid', ({ event }) => event.accountId),
  plain('key_id', 'uuid', ({ event }) => event.keyId),
  plain('group_id', 'uuid', ({ event }) => event.groupId),
  time('started_at', (event) => event.startedAtMs),
  time('first_byte_at', (event) => event.firstByteAtMs),
  time('ended_at', (event) => event.endedAtMs),
  count('count', (event) => event.count),
  count('input_tokens', (event) => event.tokens.input),
  count('cache_read_tokens', (event) => event.tokens.cacheRead),
  count('cache_write_5m_tokens', (event) => event.tokens.cacheWrite5m),
  count('cache_write_1h_tokens', (event) => event.tokens.cacheWrite1h),
  count('input_audio_tokens', (event) => event.tokens.inputAudio),
  count('output_tokens', (event) => event.tokens.output),
  count('reasoning_tokens', (event) => event.tokens.reasoning),
  count('output_audio_tokens', (event) => event.tokens.outputAudio),
  count('output_image_tokens', (event) => event.tokens.outputImage),
  count('multiplier_ppm', (event) => event.multiplierPpm),
  plain('list_nano_usd', 'bigint', ({ amounts }) => amounts.listNanoUsd),
  plain('rated_nano_usd', 'bigint', ({ amounts }) => amounts.ratedNanoUsd),
  count('hold_nano_usd', (event) => event.holdNanoUsd),
  count('grant_nano_usd', (event) => event.grantNanoUsd),
  plain('charge_nano_usd', 'bigint', ({ amounts }) => amounts.chargeNanoUsd),
  count('request_bytes', (event) => event.requestBytes),
  count('answer_bytes', (event) => event.answerBytes),
  count('status', (event) => event.status),
  plain('admitted', 'boolean', ({ event }) => event.outcome !== 'refused'),
  plain('streamed', 'boolean', ({ event }) => event.streamed),
  plain('estimated', 'boolean', ({ event }) => event.estimated),
  plain('odd', 'boolean', ({ event }) => event.odd),
  text('model', (event) => event.model),
  text('dialect', (event) => event.dialect),
  text('outcome', (event) => event.outcome),
  text('error_code', (event) => event.errorCode),
  text('service_tier', (event) => event.serviceTier),
  text('price_id', (event) => event.priceId),
  { ...text('units', (event) => writeUnits(event.units)), cast: (element) => `${element}::jsonb` },
  text('upstream_id', (event) => event.upstreamId),
  text('upstream_request_id', (event) => event.upstreamRequestId),
  text('raw_usage', (event) => event.rawUsage),
  { ...plain('content_hash', 'text', ({ contentHash }) => contentHash), cast: (element) => `decode(${element}, 'hex')` },
];

/** `INSERT INTO billing.usage … SELECT … FROM unnest($1::uuid[], …)`, without its conflict clause. */
export const INSERT_USAGE = `
  INSERT INTO billing.usage (${COLUMNS.map(({ name }) => name).join(', ')})
  SELECT ${COLUMNS.map(({ name, cast }) => (cast ? cast(`s.${name}`) : `s.${name}`)).join(', ')}
  FROM unnest(${COLUMNS.map(({ type }, index) => `$${index + 1}::${type}[]`).join(', ')})
    AS s (${COLUMNS.map(({ name }) => name).join(', ')})`;

export const USAGE_COLUMN_COUNT = COLUMNS.length;

/** The parameters of `INSERT_USAGE`: one array literal per column. */
export function usageArrays(rows: readonly UsageRow[]): string[] {
  return COLUMNS.map(({ type, value }) =>
    type === 'text' ? textArray(rows.map((row) => value(row) as string | null)) : plainArray(rows.map(value)),
  );
}

function writeUnits(units: Readonly<Record<string, number>>): string | null {
  for (const _unit in units) return JSON.stringify(units);
  return null;
}
