import type { Platform } from '@tokone/protocol';
import { baseUrl, secret } from '@tokone/http';
import type { Settings } from '@tokone/http';

export interface UpstreamTarget {
  platform: Platform;
  baseUrl: string;
  credential: string;
  /** `paid`: the operator's own provider key is used, whatever the address. `unpaid`: another address, without such a key. */
  kind: 'simulated' | 'unpaid' | 'paid';
  /** The setting with the provider key. */
  keySetting: string;
}

/** Where requests go, as a deployer may set it. */
export const UPSTREAM_SETTINGS = {
  OPENAI_API_KEY: secret('Group openai calls OpenAI with this key, and spends real money.'),
  ANTHROPIC_API_KEY: secret('Group anthropic calls Anthropic with this key, and spends real money.'),
  GEMINI_API_KEY: secret('Group gemini calls Google with this key, and spends real money.'),
  TOKONE_OPENAI_UPSTREAM_URL: baseUrl("Base URL of group openai's upstream, without /v1."),
  TOKONE_ANTHROPIC_UPSTREAM_URL: baseUrl("Base URL of group anthropic's upstream, without /v1."),
  TOKONE_GEMINI_UPSTREAM_URL: baseUrl("Base URL of group gemini's upstream, without /v1beta."),
} as const;

export type UpstreamSettings = Settings<typeof UPSTREAM_SETTINGS>;

const PROVIDERS = {
  openai: { url: 'https://api.openai.com', key: 'OPENAI_API_KEY', override: 'TOKONE_OPENAI_UPSTREAM_URL' },
  anthropic: { url: 'https://api.anthropic.com', key: 'ANTHROPIC_API_KEY', override: 'TOKONE_ANTHROPIC_UPSTREAM_URL' },
  gemini: { url: 'https://generativelanguage.googleapis.com', key: 'GEMINI_API_KEY', override: 'TOKONE_GEMINI_UPSTREAM_URL' },
} as const satisfies Record<Platform, { url: string; key: keyof UpstreamSettings; override: keyof UpstreamSettings }>;

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
