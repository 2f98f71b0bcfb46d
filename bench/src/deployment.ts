import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LedgerView, ServicesProcess } from '@tokone/testing';
import type { ServicesOptions } from '@tokone/testing';
import type { BenchServers } from './bench-servers.js';
import { watchPostgres } from './processor-meter.js';
import type { WatchedProcess } from './processor-meter.js';

export interface DeploymentOptions {
  name: string;
  /** For its files; removed by the caller. */
  folder: string;
  env?: Readonly<Record<string, string>>;
  /** Default: one, without a balancer. */
  gateways?: number;
}

/** TokOne as services, one process each, on a measurement's own servers; its owner must stop it. */
export class Deployment {
  private constructor(
    readonly services: ServicesProcess,
    readonly view: LedgerView,
    /** When its last service was ready, milliseconds since 1970. */
    readonly readyAtMs: number,
    private readonly place: { servers: BenchServers; options: ServicesOptions },
  ) {}

  static async start(servers: BenchServers, { name, folder, env, gateways = 1 }: DeploymentOptions): Promise<Deployment> {
    const dataFolder = join(folder, name);
    await mkdir(dataFolder, { recursive: true, mode: 0o755 });
    const options: ServicesOptions = { replicas: 1, gateways, dataFolder, servers: await servers.forDeployment(), env: { LOG_LEVEL: 'warn', ...env } };
    return Deployment.open(servers, options);
  }

  private static async open(servers: BenchServers, options: ServicesOptions): Promise<Deployment> {
    const services = await ServicesProcess.start(options);
    return new Deployment(services, new LedgerView(services), Date.now(), { servers, options });
  }

  /** The same once more, on the same data, after a stop. */
  startAgain(): Promise<Deployment> {
    return Deployment.open(this.place.servers, this.place.options);
  }

  get databaseUrl(): string {
    return this.services.addresses.databaseUrl;
  }

  async processId(app: string, number = 1): Promise<number> {
    return (await this.services.service(`${app}-${number}`)).processId;
  }

  /** Every process that has a part in a charge, by what it is; the measuring one included. */
  async processes(): Promise<WatchedProcess[]> {
    const notes = await this.services.services();
    const own = notes.flatMap(({ app, processId }) => (processId === null ? [] : [{ label: app, processId }]));
    const { servers } = this.place;
    return [...own, ...servers.brokers, ...servers.redisProcesses, ...(await watchPostgres(this.view, servers.postmaster)), { label: 'bench', processId: process.pid }];
  }

  async stop(): Promise<void> {
    await this.view.close();
    const code = await this.services.stop();
    if (code !== 0) throw new Error(`the services ended with status ${code}: ${this.services.program.stderr}`);
  }
}
