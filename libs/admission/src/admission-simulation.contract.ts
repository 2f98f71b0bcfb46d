import { describe, expect, it } from '@jest/globals';
import type { AdmissionDriver } from './admission.contract.js';
import type { Admission, AdmissionPosting, BalanceSource } from './admission.js';

/** A driver whose sweeper's view is read too. */
export interface SimulatedDriver extends AdmissionDriver {
  unposted(): Promise<readonly { accountId: string; seq: bigint; requestIds: readonly string[] }[]>;
  /** Resolves when the driver repeats nothing any more. */
  atRest(): Promise<unknown>;
}

const ACCOUNT = '00000000-0000-7000-8000-0000000000b1';

/** What a gateway knows of one request. */
interface RunningRequest {
  id: string;
  holdNanoUsd: bigint;
  extendable: boolean;
}

/** The double entry of one account, by hand: what is true. */
class ModelLedger implements BalanceSource {
  seq = 1n;
  balanceNanoUsd: bigint;
  worstNanoUsd: bigint;
  readonly posted = new Set<string>();

  constructor(balanceNanoUsd: bigint) {
    this.balanceNanoUsd = this.worstNanoUsd = balanceNanoUsd;
  }

  async read(): Promise<{ seq: bigint; balanceNanoUsd: bigint }> {
    const found = { seq: this.seq, balanceNanoUsd: this.balanceNanoUsd };
    await new Promise((resolve) => setImmediate(resolve));
    return found;
  }

  /** Without the last wall, which would hide what admission let through. */
  change(byNanoUsd: bigint, requestIds: readonly string[]): AdmissionPosting {
    this.seq++;
    this.balanceNanoUsd += byNanoUsd;
    if (this.balanceNanoUsd < this.worstNanoUsd) this.worstNanoUsd = this.balanceNanoUsd;
    for (const id of requestIds) this.posted.add(id);
    return { accountId: ACCOUNT, seq: this.seq, balanceNanoUsd: this.balanceNanoUsd, requestIds };
  }
}

/** One random life of an account: gateway, spool, ledger, lossy pushes and restarts around one admission. */
class Simulation {
  readonly ledger: ModelLedger;
  driver!: SimulatedDriver;
  private running: RunningRequest[] = [];
  /** Closed, granted, not posted: the spool and the outbox. */
  private closed: { id: string; chargeNanoUsd: bigint }[] = [];
  private pushes: AdmissionPosting[] = [];
  /** Settles that got no answer and are repeated. */
  private unanswered: { id: string; nanoUsd: bigint }[] = [];
  private reserving: Promise<void>[] = [];
  private epoch = 0;
  private requests = 0;

  constructor(
    private readonly random: (below: number) => number,
    private readonly makeDriver: (balances: BalanceSource) => Promise<SimulatedDriver>,
  ) {
    this.ledger = new ModelLedger(BigInt(random(2_000)));
  }

  async start(): Promise<void> {
    this.driver = await this.makeDriver(this.ledger);
  }

  private get admission(): Admission {
    return this.driver.admission;
  }

  async step(): Promise<void> {
    const steps = [
      () => this.reserve(),
      () => this.reserve(),
      () => this.extend(),
      () => this.settle(),
      () => this.settle(),
      () => this.abandon(),
      () => this.postBatch(),
      () => this.push(),
      () => this.push(),
      () => this.repeatSettle(),
      () => this.sweep(),
      () => this.rarely(10, () => this.topUp()),
      () => this.rarely(25, () => this.restart()),
      () => new Promise<void>((resolve) => setImmediate(resolve)),
    ];
    await steps[this.random(steps.length)]?.();
  }

  /** Lets everything end and be posted. */
  async quiesce(): Promise<void> {
    await Promise.all(this.reserving);
    while (this.running.length > 0) await this.settle();
    while (this.closed.length > 0) await this.postBatch();
    while (this.pushes.length > 0) await this.push();
    while (this.unanswered.length > 0) await this.repeatSettle();
    await this.driver.atRest();
    await this.sweep();
    await this.sweep();
  }

  /** Not awaited at once: a load of the balance may be under way while all else goes on. */
  private async reserve(): Promise<void> {
    const { epoch } = this;
    const id = `00000000-0000-7000-9000-${(++this.requests).toString(16).padStart(12, '0')}`;
    const input = BigInt(this.random(30));
    const mode = (['stream', 'limit_stated', 'no_limit'] as const)[this.random(3)] ?? 'stream';
    const amount = { inputNanoUsd: input, firstStepNanoUsd: BigInt(this.random(20)), worstNanoUsd: input + BigInt(20 + this.random(300)), mode };
    const reserved = this.admission.reserve({ accountId: ACCOUNT, requestId: id, amount }).then((result) => {
      // A hold of a former life died with it.
      if (result.status === 'held' && epoch === this.epoch) this.running.push({ id, holdNanoUsd: result.holdNanoUsd, extendable: result.extendable });
    });
    this.reserving.push(reserved);
    if (this.random(2) === 0) await reserved;
  }

  private async extend(): Promise<void> {
    const request = this.pick(this.running, false);
    if (!request?.extendable) return;
    const { addedNanoUsd } = await this.admission.extend(ACCOUNT, request.id, BigInt(this.random(100)));
    request.holdNanoUsd += addedNanoUsd;
  }

  private async settle(): Promise<void> {
    const request = this.pick(this.running, true);
    if (!request) return;
    const cost = BigInt(this.random(Number(request.holdNanoUsd) * 2 + 2));
    const fallback = cost < request.holdNanoUsd ? cost : request.holdNanoUsd;
    let chargeNanoUsd = fallback;
    switch (this.random(6)) {
      case 0: // It did not arrive.
        this.unanswered.push({ id: request.id, nanoUsd: fallback });
        break;
      case 1: // It arrived, its answer did not.
        await this.admission.settle(ACCOUNT, { requestId: request.id, costNanoUsd: cost, heldNanoUsd: request.holdNanoUsd });
        this.unanswered.push({ id: request.id, nanoUsd: fallback });
        break;
      default:
        chargeNanoUsd = await this.admission.settle(ACCOUNT, { requestId: request.id, costNanoUsd: cost, heldNanoUsd: request.holdNanoUsd });
    }
    if (chargeNanoUsd > 0n || cost > 0n) this.closed.push({ id: request.id, chargeNanoUsd });
  }

  private async repeatSettle(): Promise<void> {
    const settle = this.pick(this.unanswered, true);
    if (!settle) return;
    // After a restart the account may not be open: the driver opens it, and repeats this.
    await this.admission.settle(ACCOUNT, { requestId: settle.id, costNanoUsd: settle.nanoUsd, heldNanoUsd: settle.nanoUsd }).catch(() => undefined);
  }

  private async abandon(): Promise<void> {
    const request = this.random(3) === 0 ? this.pick(this.running, true) : undefined;
    if (request) await this.admission.release(ACCOUNT, request.id);
  }

  private async postBatch(): Promise<void> {
    const batch = this.closed.splice(0, 1 + this.random(5));
    if (batch.length === 0) return;
    const sum = batch.reduce((total, { chargeNanoUsd }) => total + chargeNanoUsd, 0n);
    this.pushes.push(this.ledger.change(-sum, batch.map(({ id }) => id)));
  }

  private async topUp(): Promise<void> {
    this.pushes.push(this.ledger.change(BigInt(this.random(1_000)), []));
  }

  /** Any of those under way, in any order: delivered, delivered twice, or lost. */
  private async push(): Promise<void> {
    const posting = this.pick(this.pushes, true);
    if (!posting) return;
    const fate = this.random(4);
    if (fate > 0) await this.admission.post(posting);
    if (fate === 1) this.pushes.push(posting);
  }

  /** Repeats, with balance and posted ids of one moment, what admission still waits for. */
  private async sweep(): Promise<void> {
    for (const { accountId, seq, requestIds } of await this.driver.unposted()) {
      const ids = requestIds.filter((id) => this.ledger.posted.has(id));
      if (ids.length > 0 || this.ledger.seq > seq) await this.admission.post({ accountId, seq: this.ledger.seq, balanceNanoUsd: this.ledger.balanceNanoUsd, requestIds: ids });
    }
  }

  /** The process dies: its spool closes what ran, all of it is posted, and only then admission opens again. */
  private async restart(): Promise<void> {
    this.epoch++;
    await Promise.all(this.reserving);
    for (const { id, holdNanoUsd } of this.running.splice(0)) {
      if (this.random(2) === 0) this.closed.push({ id, chargeNanoUsd: BigInt(this.random(Number(holdNanoUsd) + 1)) });
    }
    while (this.closed.length > 0) await this.postBatch();
    await this.driver.close();
    await this.start();
  }

  private async rarely(every: number, step: () => Promise<void>): Promise<void> {
    if (this.random(every) === 0) await step();
  }

  private pick<Item>(items: Item[], remove: boolean): Item | undefined {
    const index = this.random(Math.max(items.length, 1));
    return remove ? items.splice(index, 1)[0] : items[index];
  }
}

/** Random lives with fixed seeds, so that a failure can be run again. */
export function admissionSimulation(name: string, makeDriver: (balances: BalanceSource) => Promise<SimulatedDriver>, { lives, steps } = { lives: 1_000, steps: 400 }): void {
  describe(`random lives of an account, admission of ${name}`, () => {
    it('never take its balance below zero and end with admission and ledger agreed', async () => {
      for (let seed = 1; seed <= lives; seed++) {
        const simulation = new Simulation(seeded(seed), makeDriver);
        await simulation.start();
        for (let step = 0; step < steps; step++) await simulation.step();
        await simulation.quiesce();
        const { ledger, driver } = simulation;
        const outcome = { seed, worst: ledger.worstNanoUsd >= 0n, ...(await driver.outstanding()), available: await availableOf(driver.admission) };
        expect(outcome).toEqual({ seed, worst: true, held: 0, settled: 0, heldNanoUsd: 0n, available: ledger.balanceNanoUsd });
        await driver.close();
      }
    }, 180_000);
  });
}

/** What admission believes that the account has, read from a refusal. */
async function availableOf(admission: Admission): Promise<bigint | undefined> {
  const tooMuch = 10n ** 12n;
  const amount = { inputNanoUsd: tooMuch, worstNanoUsd: tooMuch, firstStepNanoUsd: 0n, mode: 'limit_stated' as const };
  const result = await admission.reserve({ accountId: ACCOUNT, requestId: '00000000-0000-7000-9000-ffffffffffff', amount });
  return result.status === 'insufficient_balance' ? result.availableNanoUsd : undefined;
}

/** Whole numbers ≥ 0 and below a bound, the same for the same seed (a 32-bit mixing generator). */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}
