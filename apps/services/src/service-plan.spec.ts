import { describe, expect, it } from '@jest/globals';
import { readSettings } from '@tokone/http';
import { planServices } from './service-plan.js';
import type { PlannedService } from './service-plan.js';
import { SETTINGS } from './settings.js';

const surroundings = {
  servicesFolder: '/data/services',
  kafkaBrokers: ['a:1', 'b:2'],
  redisUrl: 'redis://:password@r:6379',
  gateways: 1,
  accountDatabaseUrl: 'postgres://account:1@h/d',
  billingDatabaseUrl: 'postgres://billing:2@h/d',
  secrets: { internal: 'internal', pepper: Buffer.alloc(32, 1), sealingKey: Buffer.alloc(32, 2), operatorToken: 'operator' },
};

async function plan(environment: Record<string, string>, gateways = 1): Promise<PlannedService[]> {
  let port = 1000;
  return planServices(readSettings(SETTINGS, environment), { ...surroundings, gateways }, async () => port++);
}

const environmentOf = (services: PlannedService[], name: string) => services.find((service) => service.name === name)?.environment ?? {};

describe('the plan of the services', () => {
  it('has every service, in the order in which they depend on each other, with ports of their own', async () => {
    const services = await plan({});
    expect(services.map(({ name }) => name)).toEqual(['account-1', 'billing-1', 'openai-adapter-1', 'anthropic-adapter-1', 'gemini-adapter-1', 'gateway-1']);
    const ports = services.flatMap(({ environment }) => [environment['INTERNAL_PORT'], environment['MANAGEMENT_PORT']]);
    expect(new Set(ports).size).toBe(12);
  });

  it('tells each caller of every replica', async () => {
    const services = await plan({ TOKONE_REPLICAS: '2' });
    expect(services).toHaveLength(11);
    const urlsOf = (app: string) => services.filter((service) => service.app === app).map(({ internalUrl }) => internalUrl).join(',');
    const gateway = environmentOf(services, 'gateway-1');
    expect(gateway).toMatchObject({ TOKONE_ACCOUNT_URLS: urlsOf('account'), TOKONE_BILLING_URLS: urlsOf('billing'), TOKONE_OPENAI_ADAPTER_URLS: urlsOf('openai-adapter'), TOKONE_GEMINI_ADAPTER_URLS: urlsOf('gemini-adapter') });
    expect(environmentOf(services, 'account-2')).toMatchObject({ TOKONE_BILLING_URLS: urlsOf('billing') });
    expect(environmentOf(services, 'gemini-adapter-2')).toMatchObject({ TOKONE_ACCOUNT_URLS: urlsOf('account') });
  });

  it('gives each service only the secrets that it needs', async () => {
    const services = await plan({ OPENAI_API_KEY: 'sk-provider' });
    const holdersOf = (secret: string) => services.filter(({ environment }) => Object.values(environment).some((value) => value.includes(secret))).map(({ app }) => app);
    expect(holdersOf(surroundings.secrets.sealingKey.toString('base64url'))).toEqual(['account']);
    expect(holdersOf(surroundings.secrets.pepper.toString('base64url'))).toEqual(['account', 'gateway']);
    expect(holdersOf('operator')).toEqual(['account']);
    expect(holdersOf(surroundings.billingDatabaseUrl)).toEqual(['billing']);
    expect(holdersOf(surroundings.accountDatabaseUrl)).toEqual(['account']);
    expect(holdersOf(surroundings.redisUrl)).toEqual(['account', 'gateway']);
    expect(holdersOf('sk-provider')).toEqual([]);
  });

  it('gives every service what Node reads itself, and nothing else of the surroundings', async () => {
    const given = { NODE_EXTRA_CA_CERTS: '/etc/own.pem', NODE_USE_SYSTEM_CA: '1', TZ: 'Asia/Tokyo' };
    for (const { environment } of await plan({ ...given, NODE_OPTIONS: '--inspect', HTTPS_PROXY: 'http://proxy' })) {
      expect(environment).toMatchObject(given);
      for (const name of ['NODE_OPTIONS', 'HTTPS_PROXY']) expect(Object.keys(environment)).not.toContain(name);
    }
    for (const { environment } of await plan({})) expect(Object.keys(environment)).not.toContain('TZ');
  });

  it('tells every service where spans go, and which requests are recorded', async () => {
    const given = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318', OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json', OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.5', OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Basic%20a', OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test' };
    for (const { environment } of await plan(given)) expect(environment).toMatchObject(given);
    for (const { environment } of await plan({})) expect(Object.keys(environment)).not.toContain('OTEL_EXPORTER_OTLP_ENDPOINT');
  });

  it('gives each of several gateways a port and a spool of its own, and leaves the public port to the balancer', async () => {
    const gateways = (await plan({ PORT: '8080' }, 3)).filter(({ app }) => app === 'gateway');
    expect(gateways.map(({ name }) => name)).toEqual(['gateway-1', 'gateway-2', 'gateway-3']);
    expect(gateways.map(({ environment }) => environment['TOKONE_SPOOL_DIR'])).toEqual(['/data/services/gateway', '/data/services/gateway-2', '/data/services/gateway-3']);
    const ports = gateways.map(({ publicPort }) => publicPort);
    expect(new Set([...ports, 8080]).size).toBe(4);
    expect((await plan({ PORT: '8080' })).at(-1)?.publicPort).toBe(8080);
  });

  it('starts no adapter services where the gateway hosts them', async () => {
    const services = await plan({ TOKONE_ADAPTERS: 'in-process' });
    expect(services.map(({ name }) => name)).toEqual(['account-1', 'billing-1', 'gateway-1']);
    expect(environmentOf(services, 'gateway-1')).toMatchObject({ TOKONE_ADAPTERS: 'in-process' });
  });
});
