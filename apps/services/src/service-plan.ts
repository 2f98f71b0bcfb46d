import type { Platform } from '@tokone/protocol';
import { variablesForNode, variablesForTraces } from './settings.js';
import type { SupervisorSettings } from './settings.js';

/** In the order in which their adapters start. */
const PLATFORMS = ['openai', 'anthropic', 'gemini'] as const satisfies Platform[];

/** Addresses and secrets that the services share. */
export interface Surroundings {
  servicesFolder: string;
  kafkaBrokers: readonly string[];
  redisUrl: string;
  /** How many gateways. With more than one, a balancer has the public address. */
  gateways: number;
  /** Each with the role of its service. */
  accountDatabaseUrl: string;
  billingDatabaseUrl: string;
  secrets: { internal: string; pepper: Buffer; sealingKey: Buffer; operatorToken: string };
}

/** One process to run. */
export interface PlannedService {
  /** Folder below apps/. */
  app: string;
  /** `billing-2`; unique. */
  name: string;
  internalUrl: string;
  managementUrl: string;
  environment: Readonly<Record<string, string>>;
  /** Of a gateway: where it listens for tenants. */
  publicPort?: number;
}

interface Place {
  app: string;
  name: string;
  internalPort: number;
  managementPort: number;
}

/**
 * All services with their environments, in the order in which they start. Ports are kept over restarts; `freePort` never
 * gives one twice, nor the public one.
 */
export async function planServices(settings: SupervisorSettings, surroundings: Surroundings, freePort: () => Promise<number>): Promise<PlannedService[]> {
  const place = async (app: string, number: number): Promise<Place> => ({ app, name: `${app}-${number}`, internalPort: await freePort(), managementPort: await freePort() });
  const replicas = async (app: string): Promise<Place[]> => {
    const places: Place[] = [];
    for (let number = 1; number <= settings.TOKONE_REPLICAS; number++) places.push(await place(app, number));
    return places;
  };
  const account = await replicas('account');
  const billing = await replicas('billing');
  const adapters = new Map<Platform, Place[]>();
  if (settings.TOKONE_ADAPTERS === 'remote') for (const platform of PLATFORMS) adapters.set(platform, await replicas(`${platform}-adapter`));
  const gateways: { place: Place; port: number }[] = [];
  for (let number = 1; number <= surroundings.gateways; number++) {
    // Whoever connects knows the address: a gateway that is started again must have the same.
    const own = surroundings.gateways > 1 || settings.PORT === 0;
    gateways.push({ place: await place('gateway', number), port: own ? await freePort() : settings.PORT });
  }
  const urls = { account: urlsOf(account), billing: urlsOf(billing) };
  const plan = { settings, surroundings, urls, adapters };
  return [
    ...account.map((each) => planned(plan, each, accountEnvironment(plan))),
    ...billing.map((each) => planned(plan, each, billingEnvironment(plan))),
    ...[...adapters.values()].flat().map((each) => planned(plan, each, adapterEnvironment(plan))),
    ...gateways.map((each) => planned(plan, each.place, gatewayEnvironment(plan, each))),
  ];
}

interface Plan {
  settings: SupervisorSettings;
  surroundings: Surroundings;
  urls: { account: string; billing: string };
  adapters: ReadonlyMap<Platform, readonly Place[]>;
}

function planned({ settings, surroundings }: Plan, place: Place, own: Record<string, string>): PlannedService {
  const environment = {
    INTERNAL_HOST: '127.0.0.1',
    INTERNAL_PORT: String(place.internalPort),
    MANAGEMENT_HOST: '127.0.0.1',
    MANAGEMENT_PORT: String(place.managementPort),
    TOKONE_INTERNAL_SECRET: surroundings.secrets.internal,
    TOKONE_LIFELINE: 'stdin',
    KAFKA_BROKERS: surroundings.kafkaBrokers.join(','),
    TOKONE_KAFKA_TOPIC_PREFIX: settings.TOKONE_KAFKA_TOPIC_PREFIX,
    LOG_LEVEL: settings.LOG_LEVEL,
    ...variablesForNode(settings),
    ...variablesForTraces(settings),
    ...own,
  };
  const publicPort = own['PORT'] === undefined ? {} : { publicPort: Number(own['PORT']) };
  return { app: place.app, name: place.name, internalUrl: urlOf(place), managementUrl: `http://127.0.0.1:${place.managementPort}`, environment, ...publicPort };
}

function accountEnvironment({ settings, surroundings, urls }: Plan): Record<string, string> {
  const { secrets, accountDatabaseUrl } = surroundings;
  return {
    DATABASE_URL: accountDatabaseUrl,
    TOKONE_KEY_PEPPER: secrets.pepper.toString('base64url'),
    TOKONE_SEALING_KEY: secrets.sealingKey.toString('base64url'),
    TOKONE_OPERATOR_TOKEN: secrets.operatorToken,
    TOKONE_KEY_PREFIX: settings.TOKONE_KEY_PREFIX,
    TOKONE_BILLING_URLS: urls.billing,
    REDIS_URL: surroundings.redisUrl,
    TOKONE_REDIS_PREFIX: settings.TOKONE_REDIS_PREFIX,
  };
}

function billingEnvironment({ settings, surroundings }: Plan): Record<string, string> {
  return { DATABASE_URL: surroundings.billingDatabaseUrl, TOKONE_DEAD_LIMIT: String(settings.TOKONE_DEAD_LIMIT) };
}

function adapterEnvironment({ settings, urls }: Plan): Record<string, string> {
  return {
    TOKONE_ACCOUNT_URLS: urls.account,
    TOKONE_BODY_LIMIT_BYTES: String(settings.TOKONE_BODY_LIMIT_BYTES),
    TOKONE_UPSTREAM_SILENCE_SECONDS: String(settings.TOKONE_UPSTREAM_SILENCE_SECONDS),
    TOKONE_DRAIN_SECONDS: String(settings.TOKONE_DRAIN_SECONDS),
  };
}

function gatewayEnvironment({ settings, surroundings, urls, adapters }: Plan, { place: own, port }: { place: Place; port: number }): Record<string, string> {
  const adapterUrls = [...adapters].map(([platform, places]) => [`TOKONE_${platform.toUpperCase()}_ADAPTER_URLS`, urlsOf(places)]);
  return {
    HOST: surroundings.gateways > 1 ? '127.0.0.1' : settings.HOST,
    PORT: String(port),
    REDIS_URL: surroundings.redisUrl,
    TOKONE_REDIS_PREFIX: settings.TOKONE_REDIS_PREFIX,
    TOKONE_SPOOL_DIR: `${surroundings.servicesFolder}/${own.name === 'gateway-1' ? 'gateway' : own.name}`,
    TOKONE_SPOOL_STRICT: settings.TOKONE_SPOOL_STRICT,
    TOKONE_SPOOL_LIMIT_BYTES: String(settings.TOKONE_SPOOL_LIMIT_BYTES),
    TOKONE_KEY_PEPPER: surroundings.secrets.pepper.toString('base64url'),
    TOKONE_ACCOUNT_URLS: urls.account,
    TOKONE_BILLING_URLS: urls.billing,
    TOKONE_GATEWAY_URL: urlOf(own),
    TOKONE_ADAPTERS: settings.TOKONE_ADAPTERS,
    ...Object.fromEntries(adapterUrls),
    TOKONE_BODY_LIMIT_BYTES: String(settings.TOKONE_BODY_LIMIT_BYTES),
    TOKONE_REFERENCE_TOKENS: String(settings.TOKONE_REFERENCE_TOKENS),
    TOKONE_STALL_SECONDS: String(settings.TOKONE_STALL_SECONDS),
    TOKONE_UPSTREAM_SILENCE_SECONDS: String(settings.TOKONE_UPSTREAM_SILENCE_SECONDS),
    TOKONE_DRAIN_SECONDS: String(settings.TOKONE_DRAIN_SECONDS),
    TOKONE_SHUTDOWN_DELAY_SECONDS: String(settings.TOKONE_SHUTDOWN_DELAY_SECONDS),
    TOKONE_ADMISSION_TIMEOUT_MS: String(settings.TOKONE_ADMISSION_TIMEOUT_MS),
  };
}

function urlOf({ internalPort }: Place): string {
  return `http://127.0.0.1:${internalPort}`;
}

function urlsOf(places: readonly Place[]): string {
  return places.map(urlOf).join(',');
}
