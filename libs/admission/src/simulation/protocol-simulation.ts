import type { AdmissionPosting } from '../admission.js';
import { ModelFence } from './model-fence.js';
import { ModelGateway } from './model-gateway.js';
import type { Command } from './model-gateway.js';
import { ModelPipeline } from './model-pipeline.js';
import { ModelServer } from './model-server.js';
import type { Witness } from './model-server.js';

export interface SimulationOptions {
  seed: number;
  steps: number;
  /** Silent gateways may be left behind, so that a balance may pass zero by what they had. */
  abandon: boolean;
  /**
   * What exists where gateway and admission are one process: one gateway, every action arrives once and is answered,
   * and nothing is lost, opened anew, or given up by the sweeper. Default false.
   */
  oneProcess?: boolean;
  witness?: Witness;
}

export interface SimulationOutcome {
  seed: number;
  /** Of any wallet at any time, nano-USD. */
  worstNanoUsd: bigint;
  /** What gateways had that were not waited for: the bound of an overdraft. */
  exposedNanoUsd: bigint;
  /** Records of any account at rest, and wallets on which server and ledger do not agree. */
  open: number;
  disagreements: number;
  /** How often what happened, so that a run shows that it was no idle one. */
  counts: Record<string, number>;
}

/** By their own names: a global costs much more in the realm of a test, and these are most of the time. */
const { floor, imul } = Math;
type Step = (gateway: ModelGateway | undefined) => unknown;

const ACCOUNTS = ['account-1', 'account-2'];
const LONGEST_REST = 20_000;

/** One random life of a deployment: gateways, admission servers that come and go, two logs, a ledger and a fence. */
export class ProtocolSimulation {
  readonly counts: Record<string, number> = {};
  private readonly pipeline = new ModelPipeline();
  private readonly gateways: ModelGateway[];
  private readonly fence: ModelFence;
  private server: ModelServer;
  private commands: Command[] = [];
  private pushes: AdmissionPosting[] = [];
  private exposedNanoUsd = 0n;
  private resting = false;
  /** Half of the lives have little trouble: a balance near its end with postings that overtake each other. */
  private readonly calm: boolean;

  constructor(
    private readonly options: SimulationOptions,
    readonly random: (below: number) => number = seeded(options.seed),
  ) {
    this.calm = random(2) === 0;
    this.server = new ModelServer(0, this.witness);
    for (const accountId of ACCOUNTS) {
      const wallet = this.pipeline.walletOf(accountId);
      wallet.balanceNanoUsd = BigInt(100 + random(500));
      this.server.begin(accountId, 'first');
      this.server.open(accountId, 'first', wallet);
    }
    const world = {
      random,
      send: (command: Command) => void this.commands.push(command),
      wantOpen: (accountId: string) => this.wantOpen(accountId),
      currentServer: () => this.server,
    };
    this.gateways = Array.from({ length: options.oneProcess === true ? 1 : 1 + random(3) }, (_, index) => new ModelGateway(`gateway-${index}`, world));
    this.fence = new ModelFence({
      gateways: this.gateways,
      pipeline: this.pipeline,
      currentServer: () => this.server,
      barrier: (gateway, accountIds) => this.barrier(gateway, accountIds),
      skips: (gateway, accountIds) => this.skips(gateway, accountIds),
    });
  }

  run(): SimulationOutcome {
    for (let step = 0; step < this.options.steps; step++) this.step();
    this.rest();
    const { worstNanoUsd } = this.pipeline;
    return { seed: this.options.seed, worstNanoUsd, exposedNanoUsd: this.exposedNanoUsd, ...this.agreement(), counts: this.counts };
  }

  private step(): void {
    const { random } = this;
    // What is under way moves on in every other step, or little would ever end.
    if (random(2) === 0) return random(5) < 3 ? this.execute() : this.deliver();
    const steps = this.options.oneProcess === true ? this.oneProcessSteps : this.calm ? this.calmSteps : this.troubledSteps;
    steps[random(steps.length)]?.(this.alive());
  }

  private readonly requests: Step[] = [
    (gateway) => gateway?.reserve(this.account(), this.rule()),
    (gateway) => gateway?.reserve(this.account(), this.rule()),
    (gateway) => gateway?.extend(),
    (gateway) => gateway?.settle(),
    (gateway) => gateway?.settle(),
    (gateway) => this.rarely(5, () => gateway?.abandon()),
    (gateway) => this.rarely(this.calm ? 2 : 1, () => gateway?.retry()),
    () => this.push(),
    () => this.rarely(12, () => void this.pushes.push(this.pipeline.change(this.account(), BigInt(this.random(300)), []))),
  ];

  private readonly pipelineSteps: Step[] = [
    (gateway) => gateway?.ship(this.pipeline.usage, this.random(5) > 0),
    () => this.pipeline.rate(1 + this.random(4)),
    () => this.pipeline.publish(this.random(5) > 0),
    () => void this.pushes.push(...this.pipeline.post(1 + this.random(4))),
  ];

  private readonly oneProcessSteps: Step[] = [...this.requests, ...this.requests, ...this.pipelineSteps, () => this.rarely(10, () => this.sweep())];

  /** Little trouble: a balance near its end, with postings that overtake each other and answers that get lost. */
  private readonly calmSteps: Step[] = [
    ...this.requests,
    ...this.requests,
    ...this.pipelineSteps,
    () => this.giveUp(),
    () => this.rarely(10, () => this.sweep()),
    () => this.rarely(10, () => this.disturb()),
    () => this.fence.step(),
    (gateway) => this.rarely(3, () => gateway?.recover()),
  ];

  private readonly troubledSteps: Step[] = [
    ...this.requests,
    ...this.pipelineSteps.map((step): Step => (gateway) => this.rarely(2, () => step(gateway))),
    (gateway) => gateway?.recover(),
    () => this.fence.step(),
    () => this.fence.step(),
    () => this.fence.step(),
    () => this.fence.step(),
    () => this.rarely(4, () => this.giveUp()),
    () => this.rarely(6, () => this.sweep()),
    () => this.disturb(),
  ];

  private disturb(): void {
    const gateway = this.gateways[this.random(this.gateways.length)];
    const troubles: [string, () => void][] = [
      ['killed', () => gateway?.state === 'alive' && gateway.kill()],
      ['restarted', () => gateway?.state === 'dead' && gateway.restart()],
      ['restarted', () => gateway?.state === 'dead' && gateway.restart()],
      ['restarted', () => gateway?.state === 'dead' && gateway.restart()],
      ['frozen', () => gateway?.state === 'alive' && void (gateway.state = 'frozen')],
      ['woken', () => gateway?.state === 'frozen' && this.wake(gateway)],
      ['woken', () => gateway?.state === 'frozen' && this.wake(gateway)],
      ['lost whole', () => this.loseServer()],
      ['lost whole', () => this.loseServer()],
      ['lost in part', () => this.server.forget(this.account())],
      ['lost in part', () => this.server.forget(this.account())],
      ['fence killed', () => this.random(4) === 0 && this.fence.kill()],
      ['', () => undefined],
      ['', () => undefined],
    ];
    const [name, act] = troubles[this.random(troubles.length)] ?? ['', () => undefined];
    this.counts[name] = (this.counts[name] ?? 0) + 1;
    act();
  }

  /** Some gateways learn of it, the others stay with the old server: two epochs are alive. */
  private loseServer(): void {
    const former = this.server;
    this.server = new ModelServer(former.number + 1, this.witness);
    former.lost = this.random(2) === 0;
    for (const gateway of this.gateways) if (former.lost || this.random(2) === 0) gateway.server = this.server;
  }

  private wake(gateway: ModelGateway): void {
    gateway.state = 'alive';
  }

  private execute(): void {
    const waiting = this.commands.filter(({ executed }) => !executed);
    const command = waiting[this.random(Math.max(1, waiting.length))];
    if (command) this.arrive(command);
  }

  private arrive(command: Command): void {
    command.executed = true;
    // A server that is gone answers nobody.
    if (command.server.lost) command.givenUp ||= this.end(command, undefined);
    else command.answer = command.execute(command.server);
    if (command.givenUp) this.commands = this.commands.filter((other) => other !== command);
  }

  private deliver(): void {
    const answered = this.commands.filter(({ executed, gateway }) => executed && gateway.state !== 'frozen');
    const command = answered[this.random(Math.max(1, answered.length))];
    if (!command) return;
    this.commands = this.commands.filter((other) => other !== command);
    this.end(command, command.answer);
  }

  /** The gateway waits no longer; what it asked may still arrive. */
  private giveUp(): void {
    const waiting = this.commands.filter(({ givenUp, gateway }) => !givenUp && gateway.state !== 'frozen');
    const command = waiting[this.random(Math.max(1, waiting.length))];
    if (command) this.giveUpOn(command);
  }

  private giveUpOn(command: Command): void {
    this.counts['late'] = (this.counts['late'] ?? 0) + 1;
    command.givenUp = true;
    // Executed, or lost on its way; else it is still under way, and arrives late.
    if (command.executed || this.random(2) === 0) this.commands = this.commands.filter((other) => other !== command);
    this.end(command, undefined);
  }

  private end({ gateway, run, answered, givenUp }: Command, answer: unknown): true {
    if ((!givenUp || answer === undefined) && gateway.state !== 'dead' && gateway.run === run) answered(answer);
    return true;
  }

  private barrier(gateway: ModelGateway, accountIds: ReadonlySet<string>): void {
    for (const command of this.commands.filter((one) => one.gateway === gateway && !one.givenUp && accountIds.has(one.accountId))) {
      if (!command.executed && this.random(2) === 0) this.arrive(command);
      if (command.givenUp || !this.commands.includes(command)) continue;
      if (!command.executed) this.giveUpOn(command);
      else {
        this.commands = this.commands.filter((other) => other !== command);
        this.end(command, command.answer);
      }
    }
  }

  private skips(gateway: ModelGateway, accountIds: ReadonlySet<string>): boolean {
    if (!this.options.abandon || this.random(10) > 0) return false;
    for (const { accountId, holdNanoUsd } of gateway.opened.values()) if (accountIds.has(accountId)) this.exposedNanoUsd += holdNanoUsd * 2n + 2n;
    for (const { accountId, chargeNanoUsd } of gateway.unshipped) if (accountIds.has(accountId)) this.exposedNanoUsd += chargeNanoUsd;
    gateway.server = this.server;
    return true;
  }

  private push(): void {
    const [posting] = this.pushes.splice(this.random(Math.max(1, this.pushes.length)), 1);
    if (!posting) return;
    const fate = this.random(4);
    this.counts['push'] = (this.counts['push'] ?? 0) + 1;
    if (fate > 0) this.server.post(posting);
    if (fate === 1) this.pushes.push(posting);
  }

  /** Balance and posted ids of one moment; and holds that nobody knows, once the logs carry nothing of them. */
  private sweep(): void {
    for (const [accountId, { holds, tombstones }] of this.server.accounts) {
      const { seq, balanceNanoUsd } = this.pipeline.walletOf(accountId);
      const posted = [...holds.records.keys()].filter((id) => this.pipeline.posted.has(id));
      if (posted.length > 0 || seq > holds.seq) this.server.post({ accountId, seq, balanceNanoUsd, requestIds: posted });
      for (const [id, { state }] of [...holds.records]) if (this.options.oneProcess !== true && state === 'held' && this.nobodyKnows(id)) this.server.drop(accountId, id);
      // Much later than anything could still arrive.
      if (this.resting && this.commands.length === 0) for (const id of [...tombstones]) this.server.drop(accountId, id);
    }
  }

  private nobodyKnows(id: string): boolean {
    const owner = this.gateways.find(({ name }) => id.startsWith(`${name}-`));
    return owner?.state === 'alive' && !owner.knows(id) && !this.pipeline.carries(id) && !this.commands.some(({ gateway, givenUp }) => gateway === owner && !givenUp);
  }

  /** Everything heals, runs to its end, and is posted. */
  private rest(): void {
    this.resting = true;
    for (let turn = 0; turn < LONGEST_REST; turn++) {
      for (const gateway of this.gateways) {
        if (gateway.state === 'frozen') gateway.state = 'alive';
        if (gateway.state === 'dead') gateway.restart();
        gateway.settle();
        gateway.retry();
        gateway.recover();
        gateway.ship(this.pipeline.usage, true);
      }
      this.execute();
      this.deliver();
      this.fence.step();
      this.pipeline.rate(10);
      this.pipeline.publish(true);
      this.pushes.push(...this.pipeline.post(10));
      this.push();
      this.sweep();
      if (this.pipeline.atRest && this.fence.idle && this.commands.length === 0 && this.pushes.length === 0 && this.gateways.every(({ idle }) => idle)) break;
    }
    this.sweep();
  }

  private agreement(): { open: number; disagreements: number } {
    let open = this.gateways.filter(({ idle }) => !idle).length + this.commands.length;
    let disagreements = 0;
    for (const [accountId, { phase, holds, tombstones }] of this.server.accounts) {
      const { seq, balanceNanoUsd } = this.pipeline.walletOf(accountId);
      open += holds.records.size + tombstones.size;
      if (phase === 'ready' && (holds.seq !== seq || holds.limitNanoUsd !== balanceNanoUsd || holds.heldNanoUsd !== 0n || holds.settledNanoUsd !== 0n)) disagreements++;
    }
    return { open, disagreements };
  }

  /** When it is open already, its token is told. */
  private wantOpen(accountId: string): string | undefined {
    const account = this.server.accounts.get(accountId);
    if (account?.phase === 'ready') return account.token;
    this.fence.wanted.add(accountId);
    return undefined;
  }

  private readonly witness: Witness = (witnessed) => {
    const [name] = witnessed.action;
    this.counts[name] = (this.counts[name] ?? 0) + 1;
    this.options.witness?.(witnessed);
  };

  private alive(): ModelGateway | undefined {
    const gateway = this.gateways[this.random(this.gateways.length)];
    return gateway?.state === 'alive' ? gateway : undefined;
  }

  private account(): string {
    return ACCOUNTS[this.random(this.calm ? 1 : ACCOUNTS.length)] ?? '';
  }

  private rule() {
    const input = BigInt(this.random(30));
    const mode = (['stream', 'limit_stated', 'no_limit'] as const)[this.random(3)] ?? 'stream';
    return { inputNanoUsd: input, firstStepNanoUsd: BigInt(this.random(20)), worstNanoUsd: input + BigInt(20 + this.random(200)), mode };
  }

  private rarely(every: number, act: () => void): void {
    if (this.random(every) === 0) act();
  }
}

/** Whole numbers ≥ 0 and below a bound, the same for the same seed (a 32-bit mixing generator). */
export function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + imul(mixed ^ (mixed >>> 7), mixed | 61);
    return floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}
