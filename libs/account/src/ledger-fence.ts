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

/** `waitingFor`: a part of a sentence, what has to happen first. */
export type FenceAnswer = { passed: true } | { passed: false; waitingFor: string };

/**
 * The fence over usage log, billing, its outbox and the charge log, in this order: what stood in the usage log at the
 * call is in the ledger when it is passed. The end of the charge log is taken only when the outbox is published: a
 * charge that is still in the outbox stands behind an end that was taken earlier, and a balance read then would be too
 * high for ever.
 */
export class LedgerFence<Offsets = unknown> {
  constructor(private readonly parts: LedgerFenceParts<Offsets>) {}

  /** Waits up to `deadlineMs` for all of it together. @throws when a part cannot be asked. */
  async pass(deadlineMs: number): Promise<FenceAnswer> {
    const { watermarks, outbox, now } = this.parts;
    const endMs = now() + deadlineMs;
    const leftMs = (): number => Math.max(0, Math.floor(endMs - now()));
    const usage = await watermarks.usageEnd();
    if (!(await watermarks.usagePassed(usage, leftMs()))) return waitingFor('billing, to rate what the gateways have recorded');
    if (!(await outbox.publishedSoFar(leftMs()))) return waitingFor('billing, to publish what it has rated');
    const charges = await watermarks.chargesEnd();
    if (!(await watermarks.chargesPassed(charges, leftMs()))) return waitingFor('the ledger, to post what billing has published');
    return { passed: true };
  }
}

function waitingFor(what: string): FenceAnswer {
  return { passed: false, waitingFor: what };
}
