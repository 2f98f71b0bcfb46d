import { mkdirSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ChildProgram } from '@tokone/testing';
import { composeSecrets } from '../compose-env.mjs';
import { copyApp, copyPackages } from '../image-files.mjs';
import { environmentOf, interpolate, readComposeFile, type ComposeFile, type ComposeService } from './compose-file.js';
import { environmentIn, execForm, readDockerfile, textsOf, type Stage } from './dockerfile.js';

export interface ImageServers {
  /** Of an owner who may make roles, with a database of this deployment's own. */
  databaseUrl: string;
  kafkaBrokers: readonly string[];
  redisUrl: string;
}

export interface ImageDeploymentOptions {
  root: string;
  /** Holds the files of all images; whoever made it removes it. */
  folder: string;
  servers: ImageServers;
  /** Never gives a port twice. */
  freePort: () => Promise<number>;
}

const PORTS_OF_A_CONTAINER = ['INTERNAL_PORT', 'MANAGEMENT_PORT', 'PORT'];
const READY_DEADLINE_MS = 90_000;

/**
 * docker-compose.yml as processes of this machine: each service has the files that its image would hold, the image's
 * own entry point, and the environment of its container, where only addresses are others.
 */
export class ImageDeployment {
  /** The services that were started, by name. */
  readonly programs = new Map<string, ChildProgram>();
  private readonly commands = new Set<ChildProgram>();
  readonly compose: ComposeFile;
  private readonly runtime: Stage;
  private readonly secrets = Object.fromEntries(Object.entries(composeSecrets).map(([name, make]) => [name, make()]));
  private readonly ports = new Map<string, number>();

  constructor(private readonly options: ImageDeploymentOptions) {
    this.compose = readComposeFile(options.root);
    this.runtime = readDockerfile(readFileSync(join(options.root, 'deploy/Dockerfile'), 'utf8')).stages.at(-1) as Stage;
  }

  /** Files and addresses of all services. */
  async prepare(): Promise<void> {
    const { root, folder } = this.options;
    copyPackages(root, join(folder, 'node_modules'));
    // Node looks for packages in every folder on the way up, so that all images of this folder share theirs.
    for (const [name, service] of this.built()) copyApp({ root, app: appOf(service), out: this.imageOf(name) });
    for (const name of ['temporary', 'volume', 'note']) mkdirSync(join(folder, name));
    for (const [name] of this.built()) for (const setting of PORTS_OF_A_CONTAINER) this.ports.set(`${name} ${setting}`, await this.options.freePort());
  }

  /** Runs a service to its end. Its standard output. @throws Error when it fails */
  async run(name: string, args: readonly string[] = []): Promise<string> {
    const program = this.spawn(name, args);
    this.commands.add(program);
    const { code } = await program.exited;
    this.commands.delete(program);
    if (code !== 0) throw new Error(`${name} ended with status ${String(code)}: ${program.stdout}\n${program.stderr}`);
    return program.stdout;
  }

  /** Starts a service and waits for the line that says that it takes work. */
  async start(name: string): Promise<ChildProgram> {
    const program = this.spawn(name, []);
    this.programs.set(name, program);
    const app = appOf(this.compose.services[name] as ComposeService);
    await program.printed(app === 'simulator' ? /"event":"listening"/ : new RegExp(`^${app} is ready`, 'm'), READY_DEADLINE_MS);
    return program;
  }

  /** Ends whatever still runs. */
  async kill(): Promise<void> {
    await Promise.all([...this.programs.values(), ...this.commands].map((program) => program.end('SIGKILL')));
  }

  /** Where a port of a container is on this machine. */
  urlOf(name: string, setting: 'INTERNAL_PORT' | 'MANAGEMENT_PORT' | 'PORT'): string {
    return `http://127.0.0.1:${this.ports.get(`${name} ${setting}`)}`;
  }

  /** Path → size and time of every file of the images. */
  imageFiles(): Map<string, string> {
    const found = new Map<string, string>();
    for (const [name] of this.built()) listFiles(this.imageOf(name), found);
    return found;
  }

  /** Services with an image of ours. */
  built(): [string, ComposeService][] {
    return Object.entries(this.compose.services).filter(([, { build }]) => build !== undefined);
  }

  /** What Compose and the image together say. */
  environment(name: string): Record<string, string> {
    const service = this.compose.services[name] as ComposeService;
    const own = environmentOf(service, { ...this.secrets, LOG_LEVEL: 'error', TOKONE_KAFKA_TOPIC_PREFIX: this.prefix, TOKONE_REDIS_PREFIX: `${this.prefix}tokone:` });
    for (const setting of PORTS_OF_A_CONTAINER) if (own[setting] !== undefined) own[setting] = String(this.ports.get(`${name} ${setting}`));
    for (const [setting, value] of Object.entries(own)) own[setting] = this.translate(value, service);
    return { ...environmentIn(this.runtime), APP: appOf(service), ...own };
  }

  private get prefix(): string {
    return `${new URL(this.options.servers.databaseUrl).pathname.slice(1)}.`;
  }

  private imageOf(name: string): string {
    return join(this.options.folder, 'images', name);
  }

  private spawn(name: string, args: readonly string[]): ChildProgram {
    const [command = '', ...entry] = this.entryPointOf(name);
    const path = `${dirname(process.execPath)}:${process.env['PATH']}`;
    const env = { ...this.environment(name), PATH: path, TMPDIR: join(this.options.folder, 'temporary') };
    return new ChildProgram({ command, args: [...entry, ...args], env, workingFolder: this.imageOf(name) });
  }

  private entryPointOf(name: string): string[] {
    const { entrypoint } = this.compose.services[name] as ComposeService;
    return entrypoint?.map((part) => interpolate(part, {})) ?? execForm(textsOf(this.runtime, 'ENTRYPOINT').join()) ?? [];
  }

  /** Names that only Docker knows, as addresses of this machine. */
  private translate(value: string, { volumes = [] }: ComposeService): string {
    const { servers, folder } = this.options;
    const owner = new URL(servers.databaseUrl);
    const database = owner.pathname.slice(1);
    const containerPorts: Record<string, 'INTERNAL_PORT' | 'MANAGEMENT_PORT' | 'PORT'> = { 7100: 'INTERNAL_PORT', 7200: 'MANAGEMENT_PORT', 8080: 'PORT' };
    return value
      .replace(/^postgres:\/\/tokone:.*/, servers.databaseUrl)
      // Roles belong to the whole server, which other deployments use too.
      .replace(/^(postgres:\/\/)tokone(_\w+):(\w+)@postgres:5432\/tokone$/, `$1${database}$2:$3@${owner.host}/${database}`)
      .replace(/^kafka:9092$/, servers.kafkaBrokers.join(','))
      .replace(/^redis:\/\/.*@redis:6379$/, servers.redisUrl)
      .replace(/http:\/\/([a-z][a-z\d-]*):(\d+)/g, (_all, name: string, port: string) => this.urlOf(name, containerPorts[port] ?? 'PORT'))
      .replace(/^0\.0\.0\.0$/, '127.0.0.1')
      .replace(/^\/run\/tokone$/, join(folder, 'note'))
      .replace(/^\/var\/lib\/tokone/, join(folder, 'volume', volumeAt('/var/lib/tokone', volumes)));
  }
}

/** The name of the volume that a container has at a path. */
function volumeAt(path: string, volumes: readonly string[]): string {
  return volumes.find((volume) => volume.endsWith(`:${path}`))?.split(':')[0] ?? '';
}

function appOf({ build }: ComposeService): string {
  return build?.args.APP ?? '';
}

function listFiles(folder: string, found: Map<string, string>): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) listFiles(path, found);
    else if (entry.isFile()) {
      const { size, mtimeMs } = statSync(path);
      found.set(path, `${size} ${mtimeMs}`);
    }
  }
}
