import type { TruthRecord } from '@tokone/testing';
import type { ClientCall } from './client-call.js';
import type { UsageRow } from './usage-rows.js';

export interface CallAccounts {
  calls: readonly ClientCall[];
  rows: readonly UsageRow[];
  truth: readonly TruthRecord[];
  /** By request id, as the spool stood after a kill. */
  openOnly: ReadonlySet<string>;
  partial: ReadonlySet<string>;
  closed: ReadonlyMap<string, string>;
  extended: ReadonlyMap<string, bigint>;
  /** Requests whose last record was taken away before the restart: of these only the kind of end is known. */
  cut: ReadonlySet<string>;
}

/** Tokens between two PROGRESS records. */
const STEP_TOKENS = 512;
/** What one read can hold beyond a step: a few events of forty or fifty tokens. */
const READ_TOKENS = 200;

interface Account {
  call: ClientCall;
  row: UsageRow | undefined;
  sent: TruthRecord | undefined;
  label: string;
}

/** Sentences of what is wrong between what the clients saw, what the provider served, what the spool held, and what was charged. */
export function findCallFaults(input: CallAccounts): string[] {
  const faults = findUnlinked(input);
  const rows = new Map(input.rows.map((row) => [row.requestBytes, row]));
  const truth = new Map(input.truth.map((record) => [record.tag, record]));
  for (const call of input.calls) {
    const { tag, requestBytes, dialect, streamed } = call.plan;
    const row = rows.get(requestBytes);
    const account: Account = { call, row, sent: truth.get(tag), label: `${tag} (${dialect.name}${streamed ? ' stream' : ''}, ${row?.id ?? call.requestId}, ${row?.outcome})` };
    for (const judge of [judgeLink, judgeFinished, judgeReported, judgeAmount]) faults.push(...judge(account));
    if (row) faults.push(...judgeBySpool(account, row, input));
  }
  return faults;
}

/** Each row belongs to one call and each call has one row at most; each request that the provider took has a row. */
function findUnlinked({ calls, rows, truth }: CallAccounts): string[] {
  const faults: string[] = [];
  const known = new Map(calls.map((call) => [call.plan.requestBytes, call]));
  const charged = new Set<number>();
  for (const { id, requestBytes } of rows) {
    if (!known.has(requestBytes)) faults.push(`usage row ${id} belongs to no call`);
    if (charged.has(requestBytes)) faults.push(`usage row ${id} is the second of one call`);
    charged.add(requestBytes);
  }
  const tags = new Map(calls.map((call) => [call.plan.tag, call]));
  const served = new Set<string | undefined>();
  for (const { id, tag } of truth) {
    const call = tags.get(tag ?? '');
    if (!call) faults.push(`the provider served ${id}, which nobody asked for`);
    else if (!charged.has(call.plan.requestBytes)) faults.push(`the provider served ${tag}, which has no usage row`);
    if (served.has(tag)) faults.push(`the provider was asked twice for ${tag}`);
    served.add(tag);
  }
  return faults;
}

function judgeLink({ call, row, label }: Account): string[] {
  if (call.requestId === undefined || row === undefined || call.requestId === row.id) return [];
  return [`${label}: the client was told the id ${call.requestId}`];
}

/** What the client saw finished is charged, from the provider's own report, once. */
function judgeFinished({ call, row, sent, label }: Account): string[] {
  if (!call.sawEnd) return [];
  if (!row) return [`${label}: seen whole by the client, but without a usage row`];
  const faults: string[] = [];
  if (row.outcome !== 'completed' || row.estimated) faults.push(`${label}: seen whole by the client, estimated: ${row.estimated}`);
  if (row.chargeNanoUsd <= 0n || row.transfers !== 1) faults.push(`${label}: seen whole by the client, charged ${row.chargeNanoUsd} in ${row.transfers} transfers`);
  if (sent?.outcome !== 'complete') faults.push(`${label}: seen whole by the client, ${sent?.outcome} for the provider`);
  if (call.tokens !== sent?.tokens.output) faults.push(`${label}: the client got ${call.tokens} tokens, the provider sent ${sent?.tokens.output}`);
  return faults;
}

/** Usage that is not estimated is the provider's, to the token. */
function judgeReported({ row, sent, label }: Account): string[] {
  if (!row || row.estimated || row.ratedNanoUsd === 0n) return [];
  if (!sent) return [`${label}: charged, but the provider never saw it`];
  const { tokens } = sent;
  const served = [tokens.input, tokens.cacheRead, tokens.cacheWrite5m + tokens.cacheWrite1h, tokens.output + tokens.reasoning].join('/');
  const charged = [row.tokens.input, row.tokens.cacheRead, row.tokens.cacheWrite, row.tokens.output].join('/');
  return served === charged ? [] : [`${label}: charged for ${charged}, the provider served ${served}`];
}

function judgeAmount({ call, row, sent, label }: Account): string[] {
  if (!row) return call.bytes > 0 && call.status === 200 ? [`${label}: the client got bytes, but there is no usage row`] : [];
  const faults: string[] = [];
  const least = row.ratedNanoUsd < row.grantNanoUsd ? row.ratedNanoUsd : row.grantNanoUsd;
  if (row.chargeNanoUsd !== least) faults.push(`${label}: charged ${row.chargeNanoUsd} of ${row.ratedNanoUsd} rated, ${row.grantNanoUsd} granted`);
  if (row.transfers !== (row.chargeNanoUsd > 0n ? 1 : 0)) faults.push(`${label}: ${row.transfers} transfers for a charge of ${row.chargeNanoUsd}`);
  if (row.outcome === 'gateway_crash' && row.grantNanoUsd > row.holdNanoUsd) faults.push(`${label}: a crash is granted ${row.grantNanoUsd}, above its hold of ${row.holdNanoUsd}`);
  if (row.estimated && row.tokens.output > (sent?.tokens.output ?? 0)) faults.push(`${label}: charged for ${row.tokens.output} tokens, the provider sent ${sent?.tokens.output}`);
  return faults;
}

/** Only the spool decides what a crash costs. */
function judgeBySpool({ call, sent, label }: Account, row: UsageRow, { openOnly, partial, closed, extended, cut }: CallAccounts): string[] {
  if (cut.has(row.id)) return row.outcome === 'gateway_crash' ? [] : [`${label}: not closed as a crash`];
  const closedAs = closed.get(row.id);
  if (closedAs !== undefined) return row.outcome === closedAs ? [] : [`${label}: closed as ${closedAs} before the kill`];
  if (openOnly.has(row.id)) {
    if (call.bytes > 0) return [`${label}: the client got ${call.bytes} bytes before any PROGRESS record`];
    return row.outcome === 'gateway_crash' && row.chargeNanoUsd === 0n ? [] : [`${label}: nothing had reached the client, charged ${row.chargeNanoUsd}`];
  }
  if (!partial.has(row.id)) return row.outcome === 'gateway_crash' ? [`${label}: closed as a crash, but no spool showed it open`] : [];
  const faults: string[] = [];
  if (row.holdNanoUsd !== (extended.get(row.id) ?? row.holdNanoUsd)) faults.push(`${label}: its hold of ${extended.get(row.id)} was forgotten for ${row.holdNanoUsd}`);
  if (row.outcome !== 'gateway_crash' || !row.estimated) faults.push(`${label}: partly delivered, not closed as an estimate of a crash`);
  if (row.chargeNanoUsd <= 0n) faults.push(`${label}: partly delivered, not charged`);
  if (call.tokens - row.tokens.output > STEP_TOKENS + READ_TOKENS) faults.push(`${label}: the client got ${call.tokens} tokens, charged for ${row.tokens.output}`);
  const sentTokens = sent?.tokens.output ?? 0;
  if (sentTokens - row.tokens.output > STEP_TOKENS + call.plan.unreadTokens) faults.push(`${label}: the provider sent ${sentTokens} tokens, charged for ${row.tokens.output}`);
  return faults;
}
