import type { Offsets } from './kafka-admin.js';

const SOON_MS = 100;
const AGAIN_MS = 5_000;

export type CommitOffsets = (offsets: Offsets) => Promise<unknown>;

/**
 * Tells Kafka how far a consumer has come: soon after it moved, all that moved in one request, and everything again
 * now and then. Kafka's offsets are for lag and watermarks only, so a commit that fails is no trouble, but it must not
 * be the last one: without new records nobody would move the watermark again.
 */
export class OffsetCommits {
  private readonly positions = new Map<number, bigint>();
  private readonly moved = new Set<number>();
  private soon: NodeJS.Timeout | undefined;
  private readonly again: NodeJS.Timeout;
  private running: Promise<void> = Promise.resolve();
  private closed = false;

  constructor(private readonly commit: CommitOffsets) {
    this.again = setInterval(() => {
      for (const partition of this.positions.keys()) this.moved.add(partition);
      void this.flush();
    }, AGAIN_MS);
  }

  move(partition: number, nextOffset: bigint): void {
    if (this.closed) return;
    this.positions.set(partition, nextOffset);
    this.moved.add(partition);
    this.soon ??= setTimeout(() => void this.flush(), SOON_MS);
  }

  /** Another assignment: nothing of the old one may be told under its name. */
  forget(): void {
    this.positions.clear();
    this.moved.clear();
  }

  async flush(): Promise<void> {
    clearTimeout(this.soon);
    this.soon = undefined;
    const work = this.running.then(() => this.commitMoved());
    this.running = work;
    await work;
  }

  async close(): Promise<void> {
    clearInterval(this.again);
    await this.flush();
    this.closed = true;
    clearTimeout(this.soon);
  }

  private async commitMoved(): Promise<void> {
    const offsets = new Map([...this.moved].map((partition) => [partition, this.positions.get(partition)!]));
    this.moved.clear();
    if (offsets.size === 0) return;
    // A refusal is that of a group which is being divided anew, or of a broker that is away: the next one tells more.
    await this.commit(offsets).catch(() => undefined);
  }
}
