import { setTimeout } from 'node:timers/promises';
import { ClientCall } from './client-call.js';
import type { CallPlan } from './client-call.js';
import type { SeededRandom } from './seeded-random.js';
import { WIRE_DIALECTS } from './wire-dialect.js';
import type { WireDialect } from './wire-dialect.js';

/** A key of each group. Of several tenants, the clients take turns. */
export type TenantKeys = Readonly<Record<WireDialect['name'], string>>;

export interface LoadOptions {
  random: SeededRandom;
  /** Clients that each send one request after the other. */
  clients: number;
  keys: TenantKeys | readonly TenantKeys[];
  /** Refused or cut off, a client goes on after a pause; else it is over, and a lost connection ends the whole load. */
  goesOn?: boolean;
  shapes?: readonly Shape[];
  dialects?: readonly WireDialect[];
}

/** What a request asks of the simulator. */
export interface Shape {
  streamed: boolean;
  /** What the provider may have sent that a dead gateway never read: set for a faster pace than usual. */
  unreadTokens?: number;
  directives(random: SeededRandom): string;
}

/** Small answers that come and go, so that at each moment some are being closed. */
export const QUICK: readonly Shape[] = [
  { streamed: false, directives: (random) => `output-tokens=${random.integer(1, 60)} delay-ms=${random.integer(5, 80)}` },
  { streamed: true, directives: (random) => `output-tokens=${random.integer(8, 80)} chunk-tokens=8 chunk-delay-ms=${random.integer(1, 8)}` },
];
/** Runs for seconds, over many PROGRESS records. */
export const LONG_STREAM: Shape = { streamed: true, directives: (random) => `output-tokens=${random.integer(2_000, 5_000)} chunk-tokens=40 chunk-delay-ms=30` };
/** Nothing reaches the client for a while. */
export const WAITING_ANSWER: Shape = { streamed: false, directives: (random) => `output-tokens=500 delay-ms=${random.integer(1_000, 3_000)}` };
const WAITING_STREAM: Shape = { streamed: true, directives: (random) => `output-tokens=200 delay-ms=${random.integer(300, 1_500)}` };
/** A second or so. */
export const SHORT_STREAM: Shape = { streamed: true, directives: () => 'output-tokens=400 chunk-tokens=8 chunk-delay-ms=20' };
export const MIXED: readonly Shape[] = [...QUICK, ...QUICK, LONG_STREAM, WAITING_ANSWER, WAITING_STREAM];

/** Needs more than a first hold of 4,096 tokens within a second. */
export const EXTENDED_STREAM: Shape = { streamed: true, unreadTokens: 4_000, directives: () => 'output-tokens=11000 chunk-tokens=50 chunk-delay-ms=10' };
/** At forty tokens every thirty milliseconds: a quarter of a second without a turn. */
const UNREAD_TOKENS = 320;

const LEAST_REQUEST_BYTES = 512;
const FAILED_PAUSE_MS = 250;
/** Each call of a test process has a length of its own. */
let nextRequestBytes = LEAST_REQUEST_BYTES;

/** One call, which evidence can tell from all others of the test process. */
export function planCall({ dialect, shape, random, keys, baseUrl }: { dialect: WireDialect; shape: Shape; random: SeededRandom; keys: TenantKeys; baseUrl: string }): CallPlan {
  const requestBytes = nextRequestBytes++;
  const { streamed, unreadTokens = UNREAD_TOKENS } = shape;
  return { dialect, unreadTokens, streamed, directives: shape.directives(random), tag: `call-${requestBytes}`, requestBytes, key: keys[dialect.name], baseUrl };
}

/** Clients that keep as many requests in flight as there are of them. */
export class Load {
  readonly calls: ClientCall[] = [];
  inFlight = 0;
  /** Calls that ended while the load ran. */
  endedCalls = 0;
  private readonly clients: Promise<void>[] = [];
  private stopping = false;

  constructor(private readonly options: LoadOptions) {}

  start(baseUrl: string): void {
    for (let client = 0; client < this.options.clients; client++) this.clients.push(this.client(client, baseUrl));
  }

  /** Nothing new is sent; resolves when all that runs is over. */
  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.clients);
  }

  private async client(number: number, baseUrl: string): Promise<void> {
    const { random, keys, goesOn = false, shapes = MIXED, dialects = WIRE_DIALECTS } = this.options;
    const tenant = (Array.isArray(keys) ? keys[number % keys.length] : keys) as TenantKeys;
    let refused = false;
    for (let sent = 0; !this.stopping && !refused; sent++) {
      const dialect = dialects[(number + sent) % dialects.length] as WireDialect;
      const { status } = await this.call(planCall({ dialect, shape: random.pick(shapes), random, keys: tenant, baseUrl }));
      if (goesOn && status !== 200) await setTimeout(FAILED_PAUSE_MS);
      else refused = status !== 200;
    }
  }

  private async call(plan: CallPlan): Promise<ClientCall> {
    const call = new ClientCall(plan);
    this.calls.push(call);
    this.inFlight++;
    await call.run();
    call.endedWhileStopping = this.stopping;
    this.inFlight--;
    this.endedCalls++;
    // A server that is gone is not asked again.
    if (call.status === undefined && this.options.goesOn !== true) this.stopping = true;
    return call;
  }
}
