import type { AdmissionFence, FenceAnswer, GatewayIdentity } from '@tokone/account-client';

/** How far the logs go, and how far their readers have come. Each question has a deadline of its driver's. */
export interface LogWatermarks<Offsets> {
  /** The ends of all partitions of `usage.recorded` now. */
  usageEnd(): Promise<Offsets>;
  /** Whether billing has committed all of that within the deadline. */
  usagePassed(offsets: Offsets, deadlineMs: number): Promise<boolean>;
  /** The same of `charge.rated`, and whether account has posted it. */
  chargesEnd(): Promise<Offsets>;
  chargesPassed(offsets: Offsets, deadlineMs: number): Promise<boolean>;
}

/** Billing's outbox. */
export interface RatedOutbox {
  /** Whether all that it held at the call is in the log, within the deadline. */
  publishedSoFar(deadlineMs: number): Promise<boolean>;
}

export interface LedgerFenceParts<Offsets> {
  watermarks: LogWatermarks<Offsets>;
  outbox: RatedOutbox;
  /** Milliseconds, monotonic. */
  now: () => number;
}

interface Progress<Offsets> {
  instanceId: string;
  usage?: Offsets;
  rated: boolean;
  published: boolean;
  charges?: Offsets;
  posted: boolean;
}

/** Gateways whose progress is kept; a gateway that is pushed out begins anew. */
const MOST_GATEWAYS = 100;

/**
 * The fence over usage log, billing, its outbox and the charge log, in this order. The end of the charge log is taken
 * only when the outbox is published: a charge that is still in the outbox stands behind an end that was taken earlier,
 * and a balance read then would be too high for ever. Progress is kept in memory per run of a gateway; another replica
 * begins anew, which only takes longer.
 */
export class LedgerFence<Offsets = unknown> implements AdmissionFence {
  private readonly gateways = new Map<string, Progress<Offsets>>();

  constructor(private readonly parts: LedgerFenceParts<Offsets>) {}

  async pass(gateway: GatewayIdentity, deadlineMs: number): Promise<FenceAnswer> {
    const { watermarks, outbox, now } = this.parts;
    const endMs = now() + deadlineMs;
    const leftMs = (): number => Math.max(0, Math.floor(endMs - now()));
    const progress = this.progressOf(gateway);
    progress.usage ??= await watermarks.usageEnd();
    progress.rated ||= await watermarks.usagePassed(progress.usage, leftMs());
    if (!progress.rated) return waitingFor('billing, to rate what the gateways have recorded');
    progress.published ||= await outbox.publishedSoFar(leftMs());
    if (!progress.published) return waitingFor('billing, to publish what it has rated');
    progress.charges ??= await watermarks.chargesEnd();
    progress.posted ||= await watermarks.chargesPassed(progress.charges, leftMs());
    if (!progress.posted) return waitingFor('the ledger, to post what billing has published');
    return { passed: true };
  }

  private progressOf({ gatewayId, instanceId }: GatewayIdentity): Progress<Offsets> {
    const kept = this.gateways.get(gatewayId);
    if (kept?.instanceId === instanceId) return kept;
    const progress: Progress<Offsets> = { instanceId, rated: false, published: false, posted: false };
    this.gateways.delete(gatewayId);
    for (const oldest of this.gateways.keys()) {
      if (this.gateways.size < MOST_GATEWAYS) break;
      this.gateways.delete(oldest);
    }
    this.gateways.set(gatewayId, progress);
    return progress;
  }
}

function waitingFor(what: string): FenceAnswer {
  return { passed: false, waitingFor: what };
}
