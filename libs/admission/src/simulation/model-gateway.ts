import type { HoldRule } from '../admission.js';
import type { ClosedRequest } from './model-pipeline.js';
import type { ModelHold, ModelServer } from './model-server.js';

/** What a gateway asks of a server; it takes effect when it arrives, if ever, and is answered later, if ever. */
export interface Command {
  gateway: ModelGateway;
  /** Of the gateway when it asked: an answer for a former run goes nowhere. */
  run: number;
  accountId: string;
  server: ModelServer;
  execute: (server: ModelServer) => unknown;
  /** `undefined`: no answer in time. */
  answered: (answer: unknown) => void;
  executed: boolean;
  answer: unknown;
  givenUp: boolean;
}

interface Tracked {
  accountId: string;
  holdNanoUsd: bigint;
  extendable: boolean;
  state: 'running' | 'extending' | 'closing' | 'closed';
}

export interface GatewayWorld {
  random(below: number): number;
  send(command: Command): void;
  /** Asks the account service to open an account; it tells the token when it is open already. */
  wantOpen(accountId: string): string | undefined;
  currentServer(): ModelServer;
}

/** A gateway: its holds in memory, its spool on disk. */
export class ModelGateway {
  state: 'alive' | 'frozen' | 'dead' = 'alive';
  run = 0;
  server: ModelServer;
  /** Holds as this process knows them. */
  readonly tracked = new Map<string, Tracked>();
  /** The spool: OPEN without CLOSE, with the hold as recorded; and CLOSE that the log has not acknowledged. */
  readonly opened = new Map<string, { accountId: string; holdNanoUsd: bigint }>();
  readonly unshipped: ClosedRequest[] = [];
  closedCount = 0;
  shippedCount = 0;
  /** Accounts of which nothing is asked until the server shows the token of their opening. */
  readonly apart = new Map<string, string>();
  private retries: { kind: 'settle' | 'void'; accountId: string; id: string; nanoUsd: bigint }[] = [];
  private orphans: { id: string; accountId: string; costNanoUsd: bigint; holdNanoUsd: bigint }[] = [];
  private requests = 0;

  constructor(
    readonly name: string,
    private readonly world: GatewayWorld,
  ) {
    this.server = world.currentServer();
  }

  get idle(): boolean {
    return this.opened.size === 0 && this.unshipped.length === 0 && this.retries.length === 0 && this.tracked.size === 0;
  }

  reserve(accountId: string, rule: HoldRule): void {
    if (!this.mayAsk(accountId)) return;
    const id = `${this.name}-${++this.requests}`;
    this.ask(accountId, (server) => server.reserve(accountId, id, rule), (answer) => {
      if (answer === undefined) this.retries.push({ kind: 'void', accountId, id, nanoUsd: 0n });
      else if (answer === 'cold') this.cold(accountId);
      else if (isHeld(answer)) this.admitted(accountId, id, answer);
    });
  }

  extend(): void {
    const [id, request] = this.pick('running');
    if (id === undefined || request === undefined || !request.extendable || !this.mayAsk(request.accountId)) return;
    const by = BigInt(this.world.random(100));
    request.state = 'extending';
    this.ask(request.accountId, (server) => server.extend(request.accountId, id, by), (answer) => {
      request.state = 'running';
      if (answer === undefined || answer === 'cold') return;
      request.holdNanoUsd += (answer as { addedNanoUsd: bigint }).addedNanoUsd;
      const open = this.opened.get(id);
      if (open) open.holdNanoUsd = request.holdNanoUsd;
    });
  }

  settle(): void {
    const [id, request] = this.pick('running');
    if (id === undefined || request === undefined) return;
    const costNanoUsd = BigInt(this.world.random(Number(request.holdNanoUsd) * 2 + 2));
    const fallback = costNanoUsd < request.holdNanoUsd ? costNanoUsd : request.holdNanoUsd;
    const { accountId, holdNanoUsd } = request;
    const unanswered = (): void => {
      this.close(id, accountId, fallback);
      this.retries.push({ kind: 'settle', accountId, id, nanoUsd: fallback });
    };
    request.state = 'closing';
    if (!this.mayAsk(accountId)) return unanswered();
    this.ask(accountId, (server) => server.settle(accountId, { requestId: id, costNanoUsd, heldNanoUsd: holdNanoUsd }), (answer) => {
      if (answer === 'cold') this.cold(accountId);
      if (answer === undefined || answer === 'cold') return unanswered();
      this.tracked.delete(id);
      this.close(id, accountId, answer as bigint);
    });
  }

  /** The request never reached an upstream. */
  abandon(): void {
    const [id, request] = this.pick('running');
    if (id === undefined || request === undefined) return;
    this.forget(id, request.accountId);
  }

  retry(): void {
    const [retry] = this.retries.splice(this.world.random(Math.max(1, this.retries.length)), 1);
    if (retry === undefined) return;
    const { kind, accountId, id, nanoUsd } = retry;
    if (!this.mayAsk(accountId)) {
      this.retries.push(retry);
      return;
    }
    const execute = (server: ModelServer): unknown => (kind === 'void' ? server.void(accountId, id) : server.settle(accountId, { requestId: id, costNanoUsd: nanoUsd, heldNanoUsd: nanoUsd }));
    this.ask(accountId, execute, (answer) => {
      if (answer === undefined) return void this.retries.push(retry);
      if (kind === 'void') return;
      if (answer !== 'cold') return void this.tracked.delete(id);
      this.cold(accountId);
      this.retries.push(retry);
    });
  }

  /** The next CLOSE to the log; `acknowledged` false: it is there, and will be sent again. */
  ship(log: ClosedRequest[], acknowledged: boolean): void {
    const [record] = this.unshipped;
    if (record === undefined) return;
    log.push(record);
    if (!acknowledged) return;
    this.unshipped.shift();
    this.shippedCount++;
  }

  /** Its holds of these accounts. What is under way has been answered or given up. */
  announce(accountIds: ReadonlySet<string>, token: string): Map<string, ModelHold[]> {
    const found = new Map<string, ModelHold[]>();
    for (const accountId of accountIds) {
      this.apart.delete(accountId);
      if (!this.server.lost && this.server.sees(accountId, token)) continue;
      this.apart.set(accountId, token);
    }
    for (const [id, { accountId, holdNanoUsd, extendable }] of this.tracked) {
      if (!accountIds.has(accountId)) continue;
      const holds = found.get(accountId) ?? [];
      holds.push({ id, amountNanoUsd: holdNanoUsd, extendable });
      found.set(accountId, holds);
    }
    return found;
  }

  kill(): void {
    this.state = 'dead';
    this.run++;
    this.tracked.clear();
    this.apart.clear();
    this.retries = [];
    this.orphans = [];
  }

  /** What was open is held as before until it is recovered: it is announced like a running request. */
  restart(): void {
    this.server = this.world.currentServer();
    for (const [id, { accountId, holdNanoUsd }] of this.opened) {
      const costNanoUsd = this.world.random(2) === 0 ? 0n : BigInt(this.world.random(Number(holdNanoUsd) + 1));
      this.tracked.set(id, { accountId, holdNanoUsd, extendable: false, state: 'closing' });
      this.orphans.push({ id, accountId, costNanoUsd, holdNanoUsd });
    }
    this.state = 'alive';
  }

  /**
   * An orphan is settled before it is closed: the former run may have settled for less than it held, and somebody else
   * has the rest by now. So it waits until its account is open.
   */
  recover(): void {
    const orphan = this.orphans.shift();
    if (orphan === undefined) return;
    const { id, accountId, costNanoUsd, holdNanoUsd } = orphan;
    if (!this.mayAsk(accountId)) return void this.orphans.push(orphan);
    this.ask(accountId, (server) => server.settle(accountId, { requestId: id, costNanoUsd, heldNanoUsd: holdNanoUsd, mayBeLess: true }), (answer) => {
      if (answer === 'cold') this.cold(accountId);
      if (answer === undefined || answer === 'cold') return void this.orphans.push(orphan);
      this.tracked.delete(id);
      this.close(id, accountId, (answer as bigint) < costNanoUsd ? (answer as bigint) : costNanoUsd);
    });
  }

  /** Whether anything of that request is still here. */
  knows(id: string): boolean {
    return this.tracked.has(id) || this.opened.has(id) || this.unshipped.some((record) => record.id === id);
  }

  private admitted(accountId: string, id: string, answer: { holdNanoUsd: bigint; extendable: boolean }): void {
    // Now and then the spool does not take its OPEN, and the hold is given back.
    if (this.world.random(10) === 0) return void this.retries.push({ kind: 'void', accountId, id, nanoUsd: 0n });
    this.tracked.set(id, { accountId, holdNanoUsd: answer.holdNanoUsd, extendable: answer.extendable, state: 'running' });
    this.opened.set(id, { accountId, holdNanoUsd: answer.holdNanoUsd });
  }

  private close(id: string, accountId: string, chargeNanoUsd: bigint): void {
    const request = this.tracked.get(id);
    if (request) request.state = 'closed';
    this.opened.delete(id);
    this.unshipped.push({ id, accountId, chargeNanoUsd });
    this.closedCount++;
  }

  private forget(id: string, accountId: string): void {
    this.tracked.delete(id);
    this.opened.delete(id);
    this.retries.push({ kind: 'void', accountId, id, nanoUsd: 0n });
  }

  /** An account that was opened elsewhere may only be asked for where its opening is seen. */
  private mayAsk(accountId: string): boolean {
    const token = this.apart.get(accountId);
    if (token === undefined) return true;
    this.server = this.world.currentServer();
    if (!this.server.sees(accountId, token)) {
      this.cold(accountId);
      return false;
    }
    this.apart.delete(accountId);
    return true;
  }

  private cold(accountId: string): void {
    const token = this.world.wantOpen(accountId);
    if (token !== undefined && !this.server.sees(accountId, token)) this.apart.set(accountId, token);
  }

  private ask(accountId: string, execute: (server: ModelServer) => unknown, answered: (answer: unknown) => void): void {
    this.world.send({ gateway: this, run: this.run, accountId, server: this.server, execute, answered, executed: false, answer: undefined, givenUp: false });
  }

  private pick(state: Tracked['state']): [string, Tracked] | [undefined, undefined] {
    const candidates = [...this.tracked].filter(([, request]) => request.state === state);
    return candidates[this.world.random(Math.max(1, candidates.length))] ?? [undefined, undefined];
  }
}

function isHeld(answer: unknown): answer is { status: 'held'; holdNanoUsd: bigint; extendable: boolean } {
  return typeof answer === 'object' && answer !== null && 'status' in answer && answer.status === 'held';
}
