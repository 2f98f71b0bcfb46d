import { HttpUpstreamDirectory } from '@tokone/account-client';
import { ANSWER_TIMEOUT_MS, HttpAdapter, ProviderAdapter } from '@tokone/adapter-kit';
import type { Adapter, Provider } from '@tokone/adapter-kit';
import { anthropicProvider } from '@tokone/anthropic-provider';
import { geminiProvider } from '@tokone/gemini-provider';
import type { InternalClient, UpstreamClient } from '@tokone/http';
import { openaiProvider } from '@tokone/openai-provider';
import { StartupError } from '@tokone/persistence';
import type { Platform } from '@tokone/protocol';
import { RegistryUpstreamMetrics } from '@tokone/telemetry';
import type { MetricRegistry, Tracing } from '@tokone/telemetry';
import type { GatewaySettings } from './settings.js';

export interface GatewayAdapters {
  adapters: ReadonlyMap<Platform, Adapter>;
  /** Upstreams of a group, or of all, are asked for anew. */
  invalidate(groupId?: string): void;
}

export interface AdapterParts {
  client: UpstreamClient;
  account: InternalClient;
  /** Milliseconds, monotonic. */
  now: () => number;
  /** Of hosted adapters; those that are services have their own. */
  metrics: MetricRegistry;
  tracing: Tracing;
}

const PROVIDERS: readonly Provider[] = [openaiProvider, anthropicProvider, geminiProvider];
/** The adapter's own deadline comes first, unless it is frozen. */
const ADAPTER_GRACE_MS = 5_000;

/** The adapters of all platforms: services, or hosted in this process. @throws StartupError when an address is missing. */
export function openAdapters(settings: GatewaySettings, parts: AdapterParts): GatewayAdapters {
  const silenceMs = settings.TOKONE_UPSTREAM_SILENCE_SECONDS * 1000;
  if (settings.TOKONE_ADAPTERS === 'remote') {
    const remote = PROVIDERS.map(({ platform }): [Platform, Adapter] => [platform, openRemote(settings, platform, parts)]);
    return { adapters: new Map(remote), invalidate: () => undefined };
  }
  const upstreams = new HttpUpstreamDirectory(parts.account);
  const timeouts = { answerTimeoutMs: ANSWER_TIMEOUT_MS, streamTimeoutMs: silenceMs, idleTimeoutMs: silenceMs };
  const hosted = PROVIDERS.map((provider) => new ProviderAdapter({ provider, upstreams, client: parts.client, now: parts.now, tracing: parts.tracing, metrics: new RegistryUpstreamMetrics(parts.metrics, provider.platform), ...timeouts }));
  return {
    adapters: new Map(hosted.map((adapter, index): [Platform, Adapter] => [PROVIDERS[index]?.platform ?? 'openai', adapter])),
    invalidate: (groupId) => hosted.forEach((adapter) => adapter.invalidate(groupId)),
  };
}

function openRemote(settings: GatewaySettings, platform: Platform, { client, now }: AdapterParts): HttpAdapter {
  const name = `TOKONE_${platform.toUpperCase() as Uppercase<Platform>}_ADAPTER_URLS` as const;
  const baseUrls = settings[name];
  if (baseUrls === undefined) throw new StartupError(`${name} is not set: name the ${platform} adapter services, or let the gateway host the adapters with TOKONE_ADAPTERS=in-process.`);
  const idleTimeoutMs = settings.TOKONE_UPSTREAM_SILENCE_SECONDS * 1000 + ADAPTER_GRACE_MS;
  return new HttpAdapter({ baseUrls, secret: settings.TOKONE_INTERNAL_SECRET, client, now, idleTimeoutMs });
}
