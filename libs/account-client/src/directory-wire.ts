import { z } from 'zod';
import type { GroupRecord, KeyRecord } from './account-directory.js';
import { LIMIT_SCOPES, MOST_LIMIT } from './request-limits.js';
import type { Upstream } from './upstream-directory.js';
import type { WalletBalance } from './balances.js';

const platform = z.enum(['openai', 'anthropic', 'gemini']);
const models = z.array(z.string()).nullable();
const nanoUsd = z.string().regex(/^-?\d{1,19}$/).transform(BigInt);
const seq = z.string().regex(/^\d{1,19}$/).transform(BigInt);

/** `{digest}` of a question for a key, to its 32 bytes. */
export const keyQuestion = z
  .object({ digest: z.string().regex(/^[A-Za-z0-9_-]{43}$/) })
  .transform(({ digest }) => Buffer.from(digest, 'base64url'));

const limit = z.int().min(1).max(MOST_LIMIT).optional();
const scopedLimits = z.object({ scope: z.enum(LIMIT_SCOPES), id: z.string(), requestsPerMinute: limit, tokensPerMinute: limit, concurrentRequests: limit });
const key = z.object({
  keyId: z.string(),
  accountId: z.string(),
  groupId: z.string(),
  groupName: z.string(),
  platform,
  models,
  multiplierPpm: z.int().min(0),
  status: z.enum(['active', 'disabled']),
  accountStatus: z.enum(['active', 'suspended']),
  // A service of the version before says nothing of limits.
  limits: z.array(scopedLimits).default([]),
});
const group = z.object({ groupId: z.string(), name: z.string(), platform, models });
const upstream = z.object({
  upstreamId: z.string(),
  name: z.string(),
  platform,
  baseUrl: z.string(),
  credential: z.string(),
  modelMapping: z.array(z.tuple([z.string(), z.string()])),
  priority: z.int(),
});
const balance = z.object({ seq, balanceNanoUsd: nanoUsd });

const keyAnswer = z.object({ key: key.nullable() });
const groupsAnswer = z.object({ groups: z.array(group) });
const upstreamsAnswer = z.object({ upstreams: z.array(upstream) });
const balanceAnswer = z.object({ balance: balance.nullable() });

export function writeKeyQuestion(digest: Buffer): object {
  return { digest: digest.toString('base64url') };
}

export function writeKeyAnswer(record: KeyRecord | undefined): object {
  return { key: record ? { ...record, models: writeModels(record.models) } : null };
}

export function readKeyAnswer(json: unknown): KeyRecord | undefined {
  const { key: record } = keyAnswer.parse(json);
  return record ? { ...record, models: readModels(record.models) } : undefined;
}

export function writeGroupsAnswer(groups: readonly GroupRecord[]): object {
  return { groups: groups.map((record) => ({ ...record, models: writeModels(record.models) })) };
}

export function readGroupsAnswer(json: unknown): GroupRecord[] {
  return groupsAnswer.parse(json).groups.map((record) => ({ ...record, models: readModels(record.models) }));
}

/** Holds credentials in the clear: for adapters only. A mapping is a list of pairs, so that no name of a model is special. */
export function writeUpstreamsAnswer(upstreams: readonly Upstream[]): object {
  return { upstreams: upstreams.map((record) => ({ ...record, modelMapping: [...record.modelMapping] })) };
}

export function readUpstreamsAnswer(json: unknown): Upstream[] {
  return upstreamsAnswer.parse(json).upstreams.map((record) => ({ ...record, modelMapping: new Map(record.modelMapping) }));
}

export function writeBalanceAnswer(wallet: WalletBalance | undefined): object {
  return { balance: wallet ? { seq: wallet.seq.toString(), balanceNanoUsd: wallet.balanceNanoUsd.toString() } : null };
}

export function readBalanceAnswer(json: unknown): WalletBalance | undefined {
  return balanceAnswer.parse(json).balance ?? undefined;
}

function writeModels(names: ReadonlySet<string> | undefined): string[] | null {
  return names ? [...names] : null;
}

function readModels(names: string[] | null): ReadonlySet<string> | undefined {
  return names === null ? undefined : new Set(names);
}
