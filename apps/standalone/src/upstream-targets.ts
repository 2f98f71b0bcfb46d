import type { Platform } from '@tokone/protocol';
import type { StandaloneSettings } from './settings.js';

export interface UpstreamTarget {
  platform: Platform;
  baseUrl: string;
  credential: string;
  /** `paid`: the operator's own provider key is used, whatever the address. `unpaid`: another address, without such a key. */
  kind: 'simulated' | 'unpaid' | 'paid';
  /** The setting with the provider key. */
  keySetting: string;
}

const PROVIDERS = {
  openai: { url: 'https://api.openai.com', key: 'OPENAI_API_KEY', override: 'TOKONE_OPENAI_UPSTREAM_URL' },
  anthropic: { url: 'https://api.anthropic.com', key: 'ANTHROPIC_API_KEY', override: 'TOKONE_ANTHROPIC_UPSTREAM_URL' },
  gemini: { url: 'https://generativelanguage.googleapis.com', key: 'GEMINI_API_KEY', override: 'TOKONE_GEMINI_UPSTREAM_URL' },
} as const satisfies Record<Platform, { url: string; key: keyof StandaloneSettings; override: keyof StandaloneSettings }>;

export type UpstreamSettings = Pick<StandaloneSettings, (typeof PROVIDERS)[Platform]['key' | 'override']>;

/** Where each group's requests go: to the address that is set, else to the provider when its key is set, else to the simulator. */
export function upstreamTargets(settings: UpstreamSettings, simulatorUrl: string): UpstreamTarget[] {
  return Object.entries(PROVIDERS).map(([platform, provider]) => {
    const key = settings[provider.key];
    const override = settings[provider.override];
    return {
      platform: platform as Platform,
      baseUrl: override ?? (key === undefined ? simulatorUrl : provider.url),
      credential: key ?? 'simulated-credential',
      kind: key !== undefined ? 'paid' : override !== undefined ? 'unpaid' : 'simulated',
      keySetting: provider.key,
    };
  });
}
