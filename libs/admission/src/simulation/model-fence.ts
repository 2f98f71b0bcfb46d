import type { ModelGateway } from './model-gateway.js';
import type { ModelPipeline } from './model-pipeline.js';
import type { ModelHold, ModelServer } from './model-server.js';

export interface FenceWorld {
  gateways: readonly ModelGateway[];
  pipeline: ModelPipeline;
  currentServer(): ModelServer;
  /** Whatever the gateway has under way for these accounts gets its answer, or is given up. */
  barrier(gateway: ModelGateway, accountIds: ReadonlySet<string>): void;
  /** Whether a gateway that is silent is no longer waited for; its exposure is noted then. */
  skips(gateway: ModelGateway, accountIds: ReadonlySet<string>): boolean;
}

type Stage = 'announce' | 'ship' | 'rated' | 'published' | 'posted' | 'read' | 'open';

interface Round {
  token: string;
  server: ModelServer;
  accountIds: Set<string>;
  stage: Stage;
  silent: Set<ModelGateway>;
  shipping: Map<ModelGateway, number>;
  holds: Map<string, ModelHold[]>;
  mark: number;
  balances: Map<string, { seq: bigint; balanceNanoUsd: bigint }>;
}

/** The account service's way from cold accounts to open ones, one small step at a time. */
export class ModelFence {
  readonly wanted = new Set<string>();
  private round: Round | undefined;
  private rounds = 0;

  constructor(private readonly world: FenceWorld) {}

  get idle(): boolean {
    return this.round === undefined && this.wanted.size === 0;
  }

  /** The process dies; whoever waits will ask again. */
  kill(): void {
    this.round = undefined;
    this.wanted.clear();
  }

  step(): void {
    const { round } = this;
    if (round === undefined) return this.begin();
    if (round.server.lost) return this.again(round);
    this.advance(round);
  }

  private begin(): void {
    if (this.wanted.size === 0) return;
    const server = this.world.currentServer();
    const token = `token-${++this.rounds}`;
    const accountIds = new Set([...this.wanted].filter((accountId) => server.begin(accountId, token) === 'begun'));
    this.wanted.clear();
    if (accountIds.size === 0) return;
    const silent = new Set(this.world.gateways);
    this.round = { token, server, accountIds, stage: 'announce', silent, shipping: new Map(), holds: new Map(), mark: 0, balances: new Map() };
  }

  private advance(round: Round): void {
    const { pipeline } = this.world;
    switch (round.stage) {
      case 'announce':
        return this.hear(round);
      case 'ship':
        if ([...round.shipping].some(([gateway, target]) => gateway.shippedCount < target)) return;
        round.mark = pipeline.usage.length;
        round.stage = 'rated';
        return;
      case 'rated':
        if (pipeline.rated < round.mark) return;
        round.mark = pipeline.outboxEnd;
        round.stage = 'published';
        return;
      case 'published':
        if (pipeline.published < round.mark) return;
        round.mark = pipeline.charges.length;
        round.stage = 'posted';
        return;
      case 'posted':
        if (pipeline.settledCharges >= round.mark) round.stage = 'read';
        return;
      case 'read':
        for (const accountId of round.accountIds) round.balances.set(accountId, { ...pipeline.walletOf(accountId) });
        round.stage = 'open';
        return;
      case 'open':
        return this.openNext(round);
    }
  }

  private hear(round: Round): void {
    const [gateway] = round.silent;
    if (gateway === undefined) {
      round.stage = 'ship';
      return;
    }
    if (gateway.state !== 'alive') {
      if (this.world.skips(gateway, round.accountIds)) round.silent.delete(gateway);
      return;
    }
    this.world.barrier(gateway, round.accountIds);
    for (const [accountId, holds] of gateway.announce(round.accountIds, round.token)) round.holds.set(accountId, [...(round.holds.get(accountId) ?? []), ...holds]);
    round.shipping.set(gateway, gateway.closedCount);
    round.silent.delete(gateway);
  }

  private openNext(round: Round): void {
    const [accountId] = round.accountIds;
    const { server, token, balances, holds } = round;
    if (accountId === undefined) {
      this.round = undefined;
      return;
    }
    const balance = balances.get(accountId);
    round.accountIds.delete(accountId);
    const opened = balance && server.announce(accountId, token, holds.get(accountId) ?? []) && server.open(accountId, token, balance);
    if (!opened) this.wanted.add(accountId);
  }

  private again({ accountIds }: Round): void {
    for (const accountId of accountIds) this.wanted.add(accountId);
    this.round = undefined;
  }
}
