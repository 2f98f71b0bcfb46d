import type { ConsumptionOptions } from '../consumption-trouble.js';
import { retryPauseMs } from '../retry-pause.js';
import { WakeUp } from '../wake-up.js';
import type { Turnstile } from './turnstile.js';

export interface SliceMessage {
  offset: bigint;
  /** Null is a tombstone; nobody writes one here. */
  value: Buffer | null;
}

/** Messages of one partition that follow one another. */
export interface Slice {
  /** Topic and number, `usage.recorded/3`, behind the deployment's prefix. */
  partition: string;
  messages: readonly SliceMessage[];
  nextOffset: bigint;
}

/** What is done with the messages of a topic. Like a `LogConsumer`, for any topic. */
export interface SliceConsumer {
  batchSize: number;
  lingerMs: number;
  /** Offset of the first message wanted; undefined = the oldest. Asked at each assignment of a partition. */
  cursor(partition: string): Promise<bigint | undefined>;
  handle(slice: Slice): Promise<void>;
}

export interface WalkParts extends ConsumptionOptions {
  /** Shared by all partitions of a consumption. */
  turnstile: Turnstile;
  /** Everything before this offset is handled. Does not throw. */
  onHandled(nextOffset: bigint): void;
  /** The walk, which was full, takes messages again. Does not throw. */
  onRoom(): void;
}

/** Of batches that wait in memory: more are not fetched, and fetching goes on at half of it. */
const FULL_BATCHES = 4;

/**
 * The messages of one partition during one assignment: taken as they are fetched, handed over in batches, one at a
 * time, each until it succeeds. It runs apart from the fetching, so that a handler that takes long, or fails for hours,
 * costs the consumer neither its heartbeat nor its place in the group.
 */
export class PartitionWalk {
  private readonly wakeUp = new WakeUp();
  private readonly stopCall = new WakeUp();
  private buffer: SliceMessage[] = [];
  private linger: NodeJS.Timeout | undefined;
  private due = false;
  private wasFull = false;
  private ended = false;
  private running: Promise<void> | undefined;
  /** Offset of the next message to take; undefined before the start. */
  expected: bigint | undefined;

  constructor(
    readonly partition: string,
    private readonly consumer: SliceConsumer,
    private readonly parts: WalkParts,
  ) {}

  start(position: bigint): void {
    if (this.ended) return;
    this.expected = position;
    this.running = this.run();
  }

  /** Takes those that were not taken before. "gap" takes nothing: what is expected is not among them, and may still be in the log. */
  take(messages: readonly SliceMessage[], gapAllowed: boolean): 'taken' | 'behind' | 'gap' {
    const expected = this.expected ?? 0n;
    const fresh = messages.filter(({ offset }) => offset >= expected);
    const first = fresh[0];
    const last = fresh.at(-1);
    if (this.ended || !first || !last) return 'behind';
    if (first.offset > expected && !gapAllowed) return 'gap';
    this.buffer.push(...fresh);
    this.expected = last.offset + 1n;
    this.wakeUp.call();
    return 'taken';
  }

  get full(): boolean {
    return (this.wasFull = this.buffer.length >= this.consumer.batchSize * FULL_BATCHES);
  }

  /** Hands over nothing more; resolves when the running batch is done with. What was only taken is fetched again by whoever comes next. */
  async end(): Promise<void> {
    this.ended = true;
    this.buffer = [];
    this.wakeUp.call();
    this.stopCall.call();
    await this.running;
  }

  private async run(): Promise<void> {
    while (!this.ended) {
      await this.batchIsDue();
      if (!this.ended) await this.handleNext();
    }
  }

  private async batchIsDue(): Promise<void> {
    this.due = this.consumer.lingerMs <= 0;
    try {
      while (!this.ended && this.buffer.length < this.consumer.batchSize && !(this.due && this.buffer.length > 0)) {
        if (this.buffer.length > 0 && !this.due) this.startLinger();
        await this.wakeUp.pause();
      }
    } finally {
      clearTimeout(this.linger);
      this.linger = undefined;
    }
  }

  private startLinger(): void {
    this.linger ??= setTimeout(() => {
      this.due = true;
      this.wakeUp.call();
    }, this.consumer.lingerMs);
  }

  private async handleNext(): Promise<void> {
    const handled = await this.handleUntilDone();
    if (handled) this.settle(handled);
  }

  /** The batch is cut when its turn comes, so that under load it holds all that came while others were handled; from then on it stays the same. Undefined: the walk ended before. */
  private async handleUntilDone(): Promise<Slice | undefined> {
    let slice: Slice | undefined;
    for (let failures = 1; ; failures++) {
      try {
        return await this.parts.turnstile.pass(async () => {
          if (this.ended) return undefined;
          slice ??= this.cut();
          await this.consumer.handle(slice);
          return slice;
        });
      } catch (cause) {
        const pauseMs = retryPauseMs(failures, this.parts.random);
        this.parts.onTrouble({ doing: 'handle', failures, pauseMs, cause });
        if (this.ended) return undefined;
        await this.stopCall.pause(pauseMs);
        if (this.ended) return undefined;
      }
    }
  }

  private cut(): Slice {
    const messages = this.buffer.slice(0, this.consumer.batchSize);
    return { partition: this.partition, messages, nextOffset: messages.at(-1)!.offset + 1n };
  }

  private settle({ messages, nextOffset }: Slice): void {
    this.buffer.splice(0, messages.length);
    this.parts.onHandled(nextOffset);
    if (!this.wasFull || this.buffer.length > (this.consumer.batchSize * FULL_BATCHES) / 2) return;
    this.wasFull = false;
    this.parts.onRoom();
  }
}
