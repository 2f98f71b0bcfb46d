import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeTemporaryFolder } from './temporary-folder.js';
import type { TemporaryFolder } from './temporary-folder.js';

/** USD per million output tokens of the flat models: a thousand tokens cost $0.05. */
export const FLAT_USD_PER_MILLION = 50;
/** One class, one tier, free input: what such a request may cost is what it costs. */
export const FLAT_MODELS = { openai: 'flat-openai', anthropic: 'flat-anthropic', gemini: 'flat-gemini' } as const;
/** Nano-USD of output tokens of a flat model. */
export const flatNanoUsd = (tokens: number): bigint => BigInt(tokens) * BigInt(FLAT_USD_PER_MILLION * 1_000);

/** Writes a file for TOKONE_PRICES_FILE with the flat models; the caller removes its folder. */
export async function writeFlatPrices(): Promise<{ path: string; folder: TemporaryFolder }> {
  const folder = await makeTemporaryFolder('prices');
  const path = join(folder.path, 'prices.json');
  const tiers = { default: [{ aboveInputTokens: 0, usdPerMillion: { input: '0', output: String(FLAT_USD_PER_MILLION) } }] };
  const models = Object.fromEntries(Object.entries(FLAT_MODELS).map(([platform, model]) => [model, { platform, maxInputTokens: 10_000_000, maxOutputTokens: 100_000, tiers }]));
  await writeFile(path, JSON.stringify({ source: 'test prices', date: '2026-01-01', models }));
  return { path, folder };
}
