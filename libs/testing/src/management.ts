import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { GroupName, HoldsReport, ManagementMethod, Tenant } from './product.js';

export interface JsonAnswer {
  status: number;
  body: Record<string, unknown>;
}

/** Where the listener for operators is, as the command line finds it. */
export async function managementUrl(dataFolder: string): Promise<string> {
  return (JSON.parse(await readFile(join(dataFolder, 'operator.json'), 'utf8')) as { url: string }).url;
}

/** The operator's API of the TokOne on a data folder, found as the command line finds it. */
export async function callManagement(dataFolder: string, { method, path, body }: { method: ManagementMethod; path: string; body?: unknown }): Promise<JsonAnswer> {
  const { url, token } = JSON.parse(await readFile(join(dataFolder, 'operator.json'), 'utf8')) as { url: string; token: string };
  const answer = await fetch(new URL(path, url), {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(30_000),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

export async function makeTenant(manage: (method: 'POST', path: string, body: unknown) => Promise<JsonAnswer>, balanceUsd: string, group: GroupName): Promise<Tenant> {
  const account = await manage('POST', '/api/v1/accounts', { name: 'tenant' });
  const accountId = String(account.body['id']);
  if (balanceUsd !== '0') await manage('POST', `/api/v1/accounts/${accountId}/top-ups`, { amount: balanceUsd });
  const key = await manage('POST', '/api/v1/keys', { account: accountId, group });
  return { accountId, keyId: String(key.body['id']), key: String(key.body['key']) };
}

export async function readReadiness(managementUrl: string): Promise<JsonAnswer> {
  const answer = await fetch(new URL('/health/ready', managementUrl), { signal: AbortSignal.timeout(30_000) });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

export function holdsOf({ body }: JsonAnswer): HoldsReport {
  const { held, settled, heldNanoUsd } = body['holds'] as { held: number; settled: number; heldNanoUsd: string };
  return { running: Number(body['running']), held, settled, heldNanoUsd };
}
