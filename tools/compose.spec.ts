import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { DCLinter } from 'dclint';
import { composeSecrets } from './compose-env.mjs';
import { environmentOf, interpolate, readComposeFile, readEnvFile, variablesIn, type ComposeService } from './image/compose-file.js';
import { workspaceRoot } from './workspace.mjs';

const compose = readComposeFile(workspaceRoot);
const services = Object.entries(compose.services);
const ours = services.filter(([, { build }]) => build !== undefined);
const bystanders = ['postgres', 'redis', 'kafka', 'nginx', 'prometheus', 'grafana', 'otel-collector'];
const gateways = ['gateway-1', 'gateway-2'];
const secrets = Object.fromEntries(Object.entries(composeSecrets).map(([name, make]) => [name, make()]));

/** What is wrong by the Compose specification's own schema, which dclint brings. */
function schemaFindings(path: string): string[] {
  // The package's own types lead nowhere under Node's rules of resolution.
  const results: { messages: { rule: string; message: string }[] }[] = new DCLinter({ rules: {}, quiet: true, debug: false, exclude: [] }).lintFiles([path], false);
  if (results.length === 0) return ['nothing was read'];
  const wrong = new Set(['invalid-schema', 'invalid-yaml', 'unknown-error', 'no-duplicate-exported-ports', 'no-duplicate-container-names']);
  return results.flatMap(({ messages }) => messages).filter(({ rule }) => wrong.has(rule)).map(({ message }) => message);
}

describe('docker-compose.yml', () => {
  it('has the form that the Compose specification demands', () => {
    expect(schemaFindings(join(workspaceRoot, 'docker-compose.yml'))).toEqual([]);
  });

  it.each([
    ['an option that does not exist', (text: string) => text.replace('pids_limit: 512', 'pid_limit: 512')],
    ['a condition that does not exist', (text: string) => text.replace('condition: service_healthy', 'condition: healthy')],
    ['what is not YAML', (text: string) => text.replace('services:', 'services: [')],
  ])('would be found with %s', (_title, spoil) => {
    const folder = mkdtempSync(join(tmpdir(), 'tokone-compose-'));
    try {
      const text = readFileSync(join(workspaceRoot, 'docker-compose.yml'), 'utf8');
      expect(spoil(text)).not.toBe(text);
      writeFileSync(join(folder, 'docker-compose.yml'), spoil(text));
      expect(schemaFindings(join(folder, 'docker-compose.yml'))).not.toEqual([]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('runs every service that TokOne is made of, beside the servers that they need', () => {
    const apps = ['account', 'anthropic-adapter', 'billing', 'cli', 'gateway', 'gemini-adapter', 'init', 'migrate', 'openai-adapter', 'simulator'];
    expect([...new Set(ours.map(([, { build }]) => build?.args.APP))].sort()).toEqual(apps);
    expect(services.filter(([, { build }]) => build === undefined).map(([name]) => name).sort()).toEqual([...bystanders].sort());
  });

  it.each(ours)('%s is built from deploy/Dockerfile and a program that exists', (_name, { build, image }) => {
    expect(build).toMatchObject({ context: '.', dockerfile: 'deploy/Dockerfile' });
    expect(existsSync(join(workspaceRoot, 'apps', build?.args.APP ?? '', 'package.json'))).toBe(true);
    expect(image).toBe(`tokone/${build?.args.APP}:\${TOKONE_VERSION:-latest}`);
  });

  it.each(bystanders)('%s has an image of a stated version that can be replaced', (name) => {
    expect(compose.services[name]?.image).toMatch(/^\$\{[A-Z_]+_IMAGE:-[\w./-]+:v?\d[\w.-]*\}$/);
  });

  it.each(services)('%s waits only for services that say when they are there', (_name, { depends_on = {} }) => {
    for (const [other, { condition }] of Object.entries(depends_on)) {
      const { healthcheck, build, restart } = compose.services[other] as ComposeService;
      if (condition === 'service_completed_successfully') expect(restart).toBe('no');
      else expect([other, condition, build !== undefined || healthcheck !== undefined]).toEqual([other, 'service_healthy', true]);
    }
  });
});

describe('what docker-compose.yml gives away', () => {
  const text = readFileSync(join(workspaceRoot, 'docker-compose.yml'), 'utf8');

  it('is no secret: each comes from .env, and without one nothing starts', () => {
    const named = /(SECRET|PASSWORD|PEPPER|SEALING_KEY|TOKEN|REDISCLI_AUTH|DATABASE_URL)$/;
    const given = services.flatMap(([, { environment = {} }]) => Object.entries(environment)).filter(([name]) => named.test(name));
    expect(given.length).toBeGreaterThan(10);
    for (const [name, value] of given) {
      expect([name, variablesIn(String(value)).filter(({ isRequired }) => isRequired).length]).toEqual([name, 1]);
    }
    for (const name of Object.keys(composeSecrets)) expect(() => interpolate(text, { ...secrets, [name]: '' })).toThrow(`${name} has no value`);
    expect(() => interpolate(text, secrets)).not.toThrow();
  });

  it.each(services)('%s has no right that it does not need', (name, service) => {
    expect(service).toMatchObject({ cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'], pids_limit: 512 });
    expect(service.privileged).toBeUndefined();
    if (name !== 'kafka') expect(service.read_only).toBe(true);
  });

  it('is one port for tenants, of nginx, and two for operators, on this machine only unless somebody says otherwise', () => {
    const published = services.flatMap(([name, { ports = [] }]) => ports.map((port) => `${name} ${interpolate(port, {})}`));
    expect(published).toEqual(['nginx 127.0.0.1:8080:8080', 'prometheus 127.0.0.1:9090:9090', 'grafana 127.0.0.1:3000:3000']);
  });

  it('is no way to the internal listeners and the databases from where tenants come in', () => {
    const membersOf = (network: string): string[] => services.filter(([, { networks }]) => networks.includes(network)).map(([name]) => name);
    expect(membersOf('public')).toEqual(['nginx']);
    expect(membersOf('edge').sort()).toEqual([...gateways, 'nginx']);
    expect(membersOf('operators').sort()).toEqual(['grafana', 'prometheus']);
    // What an operator logs in to reaches Prometheus alone.
    expect(compose.services['grafana']?.networks).toEqual(['operators']);
    expect(membersOf('data').sort()).toEqual(['account', 'billing', 'init', 'migrate', 'postgres']);
    expect(membersOf('providers').sort()).toEqual(['anthropic-adapter', 'gemini-adapter', 'openai-adapter']);
    const closed = Object.entries(compose.networks).filter(([, { internal }]) => internal === true);
    expect(closed.map(([name]) => name).sort()).toEqual(['data', 'edge', 'services']);
  });
});

describe('what docker-compose.yml keeps', () => {
  it('is in a volume for each part that has a state', () => {
    const mounted = services.flatMap(([name, { volumes = [] }]) => volumes.filter((volume) => compose.volumes[volume.split(':')[0] ?? ''] !== undefined).map((volume) => `${name} ${volume}`));
    expect(mounted.sort()).toEqual([
      'gateway-1 spool-1:/var/lib/tokone',
      'gateway-2 spool-2:/var/lib/tokone',
      'grafana grafana:/var/lib/grafana',
      'kafka kafka:/var/lib/kafka/data',
      'postgres postgres:/var/lib/postgresql',
      'prometheus prometheus:/prometheus',
      'redis redis:/data',
    ]);
    for (const name of gateways) expect(environmentOf(compose.services[name] as ComposeService, secrets)['TOKONE_SPOOL_DIR']).toMatch(/^\/var\/lib\/tokone\//);
  });

  it.each([...gateways, 'openai-adapter', 'anthropic-adapter', 'gemini-adapter'])('lets %s end its running answers before it is killed', (name) => {
    const service = compose.services[name] as ComposeService;
    const graceSeconds = Number(/^(\d+)s$/.exec(service.stop_grace_period ?? '')?.[1]);
    expect(graceSeconds).toBeGreaterThanOrEqual(Number(environmentOf(service, secrets)['TOKONE_DRAIN_SECONDS']) + 15);
  });
});

describe('the gateways', () => {
  it('have the same settings, but for the address by which the account service asks each', () => {
    const [first, second] = gateways.map((name) => environmentOf(compose.services[name] as ComposeService, secrets));
    expect([first?.['TOKONE_GATEWAY_URL'], second?.['TOKONE_GATEWAY_URL']]).toEqual(gateways.map((name) => `http://${name}:7100`));
    expect({ ...second, TOKONE_GATEWAY_URL: '' }).toEqual({ ...first, TOKONE_GATEWAY_URL: '' });
  });

  it('are all known to nginx, which waits for each', () => {
    const text = readFileSync(join(workspaceRoot, 'deploy/nginx.conf'), 'utf8');
    expect([...text.matchAll(/^\s*server ([\w-]+):8080 /gm)].map(([, name]) => name)).toEqual(gateways);
    expect(Object.keys(compose.services['nginx']?.depends_on ?? {})).toEqual(gateways);
  });
});

describe('what watches', () => {
  const watchers = ['prometheus', 'grafana', 'otel-collector'];

  it('starts with the rest unless somebody says otherwise', () => {
    for (const name of watchers) expect(compose.services[name]?.profiles).toEqual(['observability']);
    const { COMPOSE_PROFILES } = readEnvFile(readFileSync(join(workspaceRoot, 'deploy/compose.env.example'), 'utf8'));
    expect(COMPOSE_PROFILES).toBe('observability');
  });

  it('is given files that exist, to read only', () => {
    const files = watchers.flatMap((name) => compose.services[name]?.volumes ?? []).filter((volume) => volume.startsWith('./'));
    expect(files.length).toBe(5);
    for (const file of files) {
      const [path = '', , mode] = file.split(':');
      expect([file, existsSync(join(workspaceRoot, path)), mode]).toEqual([file, true, 'ro']);
    }
  });

  it('takes no trace from anywhere but the services', () => {
    expect(compose.services['otel-collector']).toMatchObject({ networks: ['services'] });
    expect(compose.services['otel-collector']?.ports).toBeUndefined();
  });
});

describe('deploy/nginx.conf', () => {
  const lines = readFileSync(join(workspaceRoot, 'deploy/nginx.conf'), 'utf8').split('\n').map((line) => line.trim());

  it.each([
    ['events pass as they come', 'proxy_buffering off;'],
    ['a body passes as it comes', 'proxy_request_buffering off;'],
    ['only what could not be connected goes to another gateway', 'proxy_next_upstream error timeout;'],
    ['nobody can make it leave out a gateway', 'server gateway-1:8080 resolve max_fails=0;'],
    ['the gateway alone limits a body', 'client_max_body_size 0;'],
    ['connections are kept', 'proxy_http_version 1.1;'],
    ['an answer gives no orders to the proxy', 'proxy_ignore_headers X-Accel-Redirect X-Accel-Expires X-Accel-Limit-Rate X-Accel-Buffering X-Accel-Charset;'],
  ])('sees to it that %s', (_title, directive) => {
    expect(lines).toContain(directive);
  });

  it('tells a client to come again where no gateway answers, and not where the request may have been processed', () => {
    expect(lines).toContain('error_page 502 = @unavailable;');
    expect(lines).toContain('error_page 504 = @unanswered;');
    const directivesOf = (location: string): string[] => lines.slice(lines.indexOf(`location ${location} {`), lines.indexOf('}', lines.indexOf(`location ${location} {`)));
    expect(directivesOf('@unavailable')).toEqual(expect.arrayContaining(['add_header Retry-After 2 always;', expect.stringMatching(/^return 503 /)]));
    expect(directivesOf('@unanswered').filter((line) => /Retry-After/.test(line))).toEqual([]);
    expect(directivesOf('@unanswered')).toContainEqual(expect.stringMatching(/^return 504 .*may have been processed/));
  });

  it('logs no query, where a key may stand', () => {
    expect(lines.filter((line) => /\$(request|request_uri|args|query_string)\b/.test(line))).toEqual([]);
    expect(lines).toContain('error_log /dev/stderr crit;');
  });
});
