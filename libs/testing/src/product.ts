import { ServicesProcess } from './services.js';
import { StandaloneProcess } from './standalone.js';
import type { QuickstartAddresses } from './standalone.js';
import type { ChildProgram } from './child-program.js';

export type ManagementMethod = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** What admission holds, as the gateway's management listener says. Nano-USD as a decimal string. */
export interface HoldsReport {
  running: number;
  held: number;
  settled: number;
  heldNanoUsd: string;
}

export interface ManagementListener {
  /** As in `apps/<name>`. */
  app: string;
  /** `billing-2`. */
  name: string;
  url: string;
}

export interface Tenant {
  accountId: string;
  keyId: string;
  key: string;
}

export type GroupName = 'openai' | 'anthropic' | 'gemini';

/** TokOne as a test sees it, in whatever shape it runs. */
export interface Product {
  readonly program: ChildProgram;
  readonly dataFolder: string;
  readonly addresses: QuickstartAddresses;
  /** Where the gateway's spool has its segments; of the first of several. */
  readonly spoolFolder: string;
  readonly spoolFolders: readonly string[];
  /** Where it notes which simulator is its own. */
  readonly simulatorNotePath: string;
  /** One call of the operator's API. */
  manage(method: ManagementMethod, path: string, body?: unknown): Promise<{ status: number; body: Record<string, unknown> }>;
  /** A new account with a balance and one key of a group. */
  tenant(balanceUsd: string, group: GroupName): Promise<Tenant>;
  /** What the gateway's readiness says, whatever its status. */
  readiness(): Promise<{ status: number; body: Record<string, unknown> }>;
  holds(): Promise<HoldsReport>;
  /** The process that answers tenants. */
  servingProcessId(): Promise<number>;
  /** Where its services listen for each other; none in one process. */
  internalUrls(): Promise<string[]>;
  /** Every process of the product that has a management listener, with its address. */
  managementListeners(): Promise<ManagementListener[]>;
  /** Orderly; removes a folder of its own. Returns the exit code. */
  stop(): Promise<number | null>;
  /** kill -9 of what the user started. */
  kill(): Promise<void>;
}

export interface ProductOptions {
  /** Of services: gateways behind a balancer. Default 2. */
  gateways?: number;
  /** Kept when given, else made and removed with the process. */
  dataFolder?: string;
  env?: Readonly<Record<string, string>>;
  ownGroup?: boolean;
}

export type Shape = 'standalone' | 'services';

/** The shape in which this run of the tests looks at the product. */
export function testedShape(): Shape {
  return process.env['TOKONE_TEST_SHAPE'] === 'services' ? 'services' : 'standalone';
}

/** TokOne in the shape of this run, ready for requests. */
export function startProduct(options: ProductOptions = {}): Promise<Product> {
  return testedShape() === 'services' ? ServicesProcess.start(options) : StandaloneProcess.start(options);
}
