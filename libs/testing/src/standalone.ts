import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ChildProgram } from './child-program.js';
import { callManagement, holdsOf, makeTenant, managementUrl } from './management.js';
import type { JsonAnswer } from './management.js';
import type { GroupName, HoldsReport, ManagementListener, ManagementMethod, Product, ProductOptions, Tenant } from './product.js';
import { makeTemporaryFolder } from './temporary-folder.js';

export interface QuickstartAddresses {
  baseUrl: string;
  keys: { openai: string; anthropic: string; gemini: string };
  simulatorUrl: string;
  databaseUrl: string;
}

const READY_DEADLINE_MS = 90_000;

/** TokOne in one process, started as a user would, on a free port. */
export class StandaloneProcess implements Product {
  private constructor(
    readonly program: ChildProgram,
    readonly dataFolder: string,
    readonly addresses: QuickstartAddresses,
    private readonly removeFolder: () => Promise<void>,
  ) {}

  static async start(options: ProductOptions = {}): Promise<StandaloneProcess> {
    const folder = options.dataFolder === undefined ? await makeTemporaryFolder('data') : undefined;
    const dataFolder = options.dataFolder ?? folder?.path ?? '';
    const removeFolder = async () => folder?.remove();
    const program = new ChildProgram({
      main: 'apps/standalone/dist/main.js',
      env: { PORT: '0', LOG_LEVEL: 'error', TOKONE_DATA_DIR: dataFolder, ...options.env },
      ownGroup: options.ownGroup ?? false,
    });
    try {
      await program.printed(/^TokOne is ready/m, READY_DEADLINE_MS);
      return new StandaloneProcess(program, dataFolder, await readQuickstart(dataFolder), removeFolder);
    } catch (error) {
      await program.end('SIGTERM').catch(() => program.end('SIGKILL'));
      await removeFolder();
      throw error;
    }
  }

  /** Orderly: drains and removes a folder of its own. Returns the exit code. */
  async stop(): Promise<number | null> {
    const { code } = await this.program.end('SIGTERM');
    await this.removeFolder();
    return code;
  }

  /** kill -9: PostgreSQL, the simulator and the folder stay, for a next start on the same folder to take over. */
  async kill(): Promise<void> {
    await this.program.end('SIGKILL');
  }

  servingProcessId(): Promise<number> {
    return Promise.resolve(this.program.processId);
  }

  internalUrls(): Promise<string[]> {
    return Promise.resolve([]);
  }

  async managementListeners(): Promise<ManagementListener[]> {
    return [{ app: 'standalone', name: 'standalone', url: await managementUrl(this.dataFolder) }];
  }

  get spoolFolder(): string {
    return join(this.dataFolder, 'spool');
  }

  get spoolFolders(): string[] {
    return [this.spoolFolder];
  }

  get simulatorNotePath(): string {
    return join(this.dataFolder, 'simulator.json');
  }

  manage(method: ManagementMethod, path: string, body?: unknown): Promise<JsonAnswer> {
    return callManagement(this.dataFolder, { method, path, body });
  }

  tenant(balanceUsd: string, group: GroupName): Promise<Tenant> {
    return makeTenant((method, path, body) => this.manage(method, path, body), balanceUsd, group);
  }

  readiness(): Promise<JsonAnswer> {
    return this.manage('GET', '/health/ready');
  }

  async holds(): Promise<HoldsReport> {
    return holdsOf(await this.readiness());
  }
}

/** What quickstart.env says now. */
export async function readQuickstart(dataFolder: string): Promise<QuickstartAddresses> {
  const lines = (await readFile(join(dataFolder, 'quickstart.env'), 'utf8')).split('\n');
  const values = new Map(lines.map((line): [string, string] => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1).replace(/^'(.*)'$/, '$1')]));
  const read = (name: string) => values.get(name) ?? '';
  return {
    baseUrl: read('TOKONE_BASE_URL'),
    keys: { openai: read('TOKONE_OPENAI_KEY'), anthropic: read('TOKONE_ANTHROPIC_KEY'), gemini: read('TOKONE_GEMINI_KEY') },
    simulatorUrl: read('TOKONE_SIMULATOR_URL'),
    databaseUrl: read('TOKONE_DATABASE_URL'),
  };
}
