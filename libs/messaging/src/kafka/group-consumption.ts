import { setTimeout as pause } from 'node:timers/promises';
import type { Consumer, ConsumerGroupJoinEvent, EachBatchPayload } from 'kafkajs';
import { CatchUpError } from '../catch-up-error.js';
import type { ConsumptionOptions, ConsumptionTrouble } from '../consumption-trouble.js';
import type { Consumption } from '../event-log.js';
import { retryPauseMs } from '../retry-pause.js';
import { KafkaAdmin, type OffsetRange, type Offsets } from './kafka-admin.js';
import type { KafkaConnection } from './kafka-connection.js';
import { OffsetCommits } from './offset-commits.js';
import { writePartitionName } from './partition-name.js';
import { PartitionWalk, type SliceConsumer } from './partition-walk.js';
import { atMost } from './patience.js';
import { Turnstile } from './turnstile.js';
import { hasPassed, pollUntil } from './watermark.js';

export interface GroupConsumptionOptions extends ConsumptionOptions {
  connection: KafkaConnection;
  /** Real names, the prefix included. */
  topic: string;
  group: string;
  consumer: SliceConsumer;
  /** All partitions of an assignment stand where their cursors say, and nothing of them was handed over yet. */
  onAssigned?: () => void;
  /** A member that is silent for so long loses its partitions to others. */
  sessionTimeoutMs?: number;
  /** Handlers at once, each of another partition. */
  handlersAtOnce?: number;
  /** A log that ends before the stored cursor for so long is taken for another log, and read from its beginning. */
  otherLogAfterMs?: number;
}

const SESSION_TIMEOUT_MS = 10_000;
const REBALANCE_TIMEOUT_MS = 15_000;
const HEARTBEAT_MS = 1_000;
/** How long a fetch waits for a first record, and a consumer whose partitions all wait looks again. */
const FETCH_WAIT_MS = 100;
const FETCH_BYTES = 4_194_304;
const PARTITION_BYTES = 524_288;
const LEAVE_DEADLINE_MS = 1_500;
/** An election of leaders, after which a log may end earlier for a moment, is long over. */
const OTHER_LOG_AFTER_MS = 30_000;

/** What is known of a partition when it is to be placed. */
interface FoundPartition {
  partition: number;
  /** Under which its cursor is stored. */
  name: string;
  cursor: bigint | undefined;
  range: OffsetRange | undefined;
}

/** What holds for one assignment of partitions, until the next one. */
interface Assignment {
  consumer: Consumer;
  walks: Map<number, PartitionWalk>;
  /** Where a record is missing in the log for good, by partition. */
  gaps: Map<number, bigint>;
}

/**
 * A member of a consumer group. The cursor of each partition is the consumer's own: it is read at each assignment,
 * after whatever this process was still handling of it is done, and fetching begins there; what Kafka has stored for
 * the group only says to others how far it came. Whatever breaks, a client is thrown away and made anew.
 *
 * A cursor is of one log. Its name carries the cluster's id, so that none is applied to the log of another cluster; a
 * log that ends before its cursor, and goes on doing so, is read from its beginning. Both hand over again what was
 * handled before, which is right: whoever consumes does each thing once.
 *
 * Another member may get a partition while this one still handles a batch of it. Both then do the same work, of which
 * the consumer's store keeps one; neither moves a cursor that it has not stored.
 */
export class GroupConsumption implements Consumption {
  private readonly options: GroupConsumptionOptions;
  private readonly admin: KafkaAdmin;
  private readonly turnstile: Turnstile;
  private readonly stopSignal = new AbortController();
  private readonly commits = new OffsetCommits((offsets) => this.commit(offsets));
  private readonly done: Promise<void>;
  /** The client in use; what others tell, that are on their way out, counts no more. */
  private member: Consumer | undefined;
  private assignment: Assignment | undefined;
  /** Walks of former assignments are over. */
  private formerEnded: Promise<unknown> = Promise.resolve();
  private commitNow: EachBatchPayload['commitOffsetsIfNecessary'] | undefined;
  private failures = 0;

  constructor(options: GroupConsumptionOptions) {
    this.options = options;
    this.admin = new KafkaAdmin(options.connection);
    this.turnstile = new Turnstile(options.handlersAtOnce ?? 1);
    this.done = this.run();
  }

  /** By the group's committed offsets: also what its other members handle has to be done. */
  async caughtUp(deadlineMs: number): Promise<void> {
    const { signal: stopped } = this.stopSignal;
    const late = AbortSignal.timeout(deadlineMs);
    const signal = AbortSignal.any([stopped, late]);
    let end: Offsets | undefined;
    const passed = await pollUntil(async () => {
      end ??= new Map([...(await this.admin.ranges(this.options.topic))].map(([partition, { high }]) => [partition, high]));
      return hasPassed(this.admin, this.options, end);
    }, signal);
    if (passed) return;
    if (stopped.aborted) throw new Error('The consumption was stopped before it had caught up.');
    throw new CatchUpError(`the log was not caught up with within ${deadlineMs} ms`);
  }

  async stop(): Promise<void> {
    this.stopSignal.abort();
    await this.done;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopSignal;
    while (!signal.aborted) {
      const cause = await this.consumeOnce();
      if (signal.aborted) break;
      const pauseMs = retryPauseMs(++this.failures, this.options.random);
      this.tell({ doing: 'connect', failures: this.failures, pauseMs, cause });
      await this.rest(pauseMs);
    }
    await this.commits.close();
    await this.admin.close();
  }

  /** From the joining to the end of one client. Returns why it ended; that is nothing after a stop. */
  private async consumeOnce(): Promise<unknown> {
    const { connection, group, topic } = this.options;
    const consumer = connection.consumer({
      groupId: group,
      sessionTimeout: this.options.sessionTimeoutMs ?? SESSION_TIMEOUT_MS,
      rebalanceTimeout: REBALANCE_TIMEOUT_MS,
      heartbeatInterval: HEARTBEAT_MS,
      maxWaitTimeInMs: FETCH_WAIT_MS,
      maxBytes: FETCH_BYTES,
      maxBytesPerPartition: PARTITION_BYTES,
    });
    this.member = consumer;
    const crash = new Promise<unknown>((resolve) => consumer.on(consumer.events.CRASH, ({ payload }) => resolve(payload.error)));
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => this.joined(consumer, payload));
    const started = this.start(consumer, topic);
    try {
      const { signal } = this.stopSignal;
      const stopped = new Promise<undefined>((resolve) => signal.addEventListener('abort', () => resolve(undefined), { once: true }));
      return await Promise.race([crash, stopped, started.then(() => crash)]);
    } catch (cause) {
      return cause;
    } finally {
      this.member = undefined;
      await Promise.all([...(this.assignment?.walks.values() ?? [])].map((walk) => walk.end()));
      await this.commits.flush();
      await this.endAssignment();
      this.commitNow = undefined;
      // A client that is disconnected while it joins goes on joining, and could never be stopped again. When that takes
      // long, because others are waited for, it leaves behind our back; until then it has partitions, and fetches none.
      const left = started.catch(() => undefined).then(() => consumer.disconnect());
      await atMost(LEAVE_DEADLINE_MS, left);
    }
  }

  private async start(consumer: Consumer, topic: string): Promise<void> {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    if (this.stopSignal.signal.aborted) return;
    await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: (payload) => this.take(consumer, payload) });
  }

  /** Called while the client is about to fetch: nothing may be fetched before the cursors are known. */
  private joined(consumer: Consumer, { memberAssignment }: ConsumerGroupJoinEvent['payload']): void {
    const { topic } = this.options;
    const partitions = memberAssignment[topic] ?? [];
    if (partitions.length > 0) consumer.pause([{ topic, partitions }]);
    if (this.member !== consumer) return;
    void this.endAssignment();
    const assignment: Assignment = { consumer, walks: new Map(), gaps: new Map() };
    this.assignment = assignment;
    this.failures = 0;
    void this.open(assignment, partitions).then((opened) => opened && this.options.onAssigned?.());
  }

  /** Everything that was taken under the last assignment is given up but for the batches in hand, which are waited for. */
  private endAssignment(): Promise<unknown> {
    const walks = [...(this.assignment?.walks.values() ?? [])];
    this.assignment = undefined;
    this.commits.forget();
    this.formerEnded = Promise.all([this.formerEnded, ...walks.map((walk) => walk.end())]);
    return this.formerEnded;
  }

  /** Puts each partition where its cursor says and lets it run. Returns whether it came to that. */
  private async open(assignment: Assignment, partitions: readonly number[]): Promise<boolean> {
    await this.formerEnded;
    const { topic, consumer, otherLogAfterMs = OTHER_LOG_AFTER_MS } = this.options;
    let left = partitions;
    /** How long partitions have ended before their cursors. */
    let beyondMs = 0;
    for (let failures = 1; left.length > 0; failures++) {
      if (!this.holds(assignment)) return false;
      let doing: ConsumptionTrouble['doing'] = 'read';
      let early: readonly FoundPartition[] = [];
      try {
        const clusterId = await this.admin.clusterId();
        doing = 'cursor';
        const nameOf = (partition: number): string => writePartitionName({ clusterId, topic, partition });
        const cursors = await Promise.all(left.map((partition) => consumer.cursor(nameOf(partition))));
        doing = 'read';
        const ranges = await this.admin.ranges(topic);
        if (!this.holds(assignment)) return false;
        const found = left.map((partition, index) => ({ partition, name: nameOf(partition), cursor: cursors[index], range: ranges.get(partition) }));
        early = found.filter((each) => !this.place(assignment, each, beyondMs >= otherLogAfterMs));
        left = early.map(({ partition }) => partition);
        if (left.length > 0) throw new Error(`${early.map(({ name }) => name).join(', ')} ends before the stored cursor: it is not the log that the cursor is of.`);
      } catch (cause) {
        const pauseMs = retryPauseMs(failures, this.options.random);
        this.tell({ doing, failures, pauseMs, cause });
        await this.rest(pauseMs);
        if (early.length > 0) beyondMs += pauseMs;
      }
    }
    return this.holds(assignment);
  }

  private holds(assignment: Assignment): boolean {
    return this.assignment === assignment && this.member === assignment.consumer;
  }

  /** False: the log does not reach to the cursor. That passes after an election of leaders; else it is another log. */
  private place(assignment: Assignment, { partition, name, cursor, range }: FoundPartition, isOtherLog: boolean): boolean {
    const { topic } = this.options;
    if (!range) return false;
    const isBeyond = cursor !== undefined && cursor > range.high;
    if (isBeyond && !isOtherLog) return false;
    const position = cursor === undefined || cursor < range.low || isBeyond ? range.low : cursor;
    if (isBeyond) this.tellOf(`${name} still ends at ${range.high}, before the stored cursor ${cursor}: it is another log under that name, and is read from its beginning.`);
    else if (cursor !== undefined && position !== cursor) this.tellOf(`${name} lost its records from ${cursor} to ${position} before they were read: its retention is too short.`);
    const walk = new PartitionWalk(name, this.options.consumer, {
      ...this.options,
      turnstile: this.turnstile,
      onHandled: (nextOffset) => this.assignment === assignment && this.commits.move(partition, nextOffset),
      onRoom: () => this.assignment === assignment && this.resume(assignment, partition),
    });
    assignment.walks.set(partition, walk);
    walk.start(position);
    assignment.consumer.seek({ topic, partition, offset: `${position}` });
    assignment.consumer.resume([{ topic, partitions: [partition] }]);
    this.commits.move(partition, position);
    return true;
  }

  private resume({ consumer }: Assignment, partition: number): void {
    try {
      consumer.resume([{ topic: this.options.topic, partitions: [partition] }]);
    } catch {
      // The client broke a moment ago, and says so itself: it is made anew, and begins at the cursor.
    }
  }

  /** What was fetched. It is only taken here; the client goes on to fetch and to beat its heart meanwhile. */
  private async take(consumer: Consumer, { batch, resolveOffset, commitOffsetsIfNecessary }: EachBatchPayload): Promise<void> {
    const { assignment } = this;
    const { topic, partition } = batch;
    const walk = assignment?.walks.get(partition);
    if (!assignment || this.member !== consumer || walk?.expected === undefined) return;
    this.commitNow = commitOffsetsIfNecessary;
    const messages = batch.messages.map(({ offset, value }) => ({ offset: BigInt(offset), value }));
    const expected = walk.expected;
    switch (walk.take(messages, assignment.gaps.get(partition) === expected)) {
      case 'taken':
        resolveOffset(batch.lastOffset());
        if (walk.full) consumer.pause([{ topic, partitions: [partition] }]);
        return;
      case 'behind':
        return consumer.seek({ topic, partition, offset: `${expected}` });
      case 'gap':
        assignment.gaps.set(partition, expected);
        this.tellOf(`${walk.partition} has no records from ${expected} to ${batch.firstOffset() ?? '?'}: it is looked at once more, then they are passed over.`);
        return this.reopen(assignment, partition, walk);
    }
  }

  /** Records are missing between what was taken and what was fetched: begun anew from the cursor, they may come. */
  private reopen(assignment: Assignment, partition: number, walk: PartitionWalk): void {
    assignment.consumer.pause([{ topic: this.options.topic, partitions: [partition] }]);
    assignment.walks.delete(partition);
    this.formerEnded = Promise.all([this.formerEnded, walk.end()]);
    void this.open(assignment, [partition]);
  }

  private async commit(offsets: Offsets): Promise<void> {
    const { assignment, commitNow } = this;
    const { topic } = this.options;
    const partitions = [...offsets].map(([partition, offset]) => ({ partition, offset: `${offset}` }));
    // The way that does not try again by itself: a second attempt may come when the partition is another member's.
    if (commitNow) await commitNow({ topics: [{ topic, partitions }] });
    else await assignment?.consumer.commitOffsets(partitions.map((place) => ({ topic, ...place })));
  }

  /** Something that is wrong with the log, and is not waited for. */
  private tellOf(sentence: string): void {
    this.tell({ doing: 'read', failures: 1, pauseMs: 0, cause: new Error(sentence) });
  }

  private tell(trouble: ConsumptionTrouble): void {
    if (!this.stopSignal.signal.aborted) this.options.onTrouble(trouble);
  }

  private async rest(timeMs: number): Promise<void> {
    await pause(timeMs, undefined, { signal: this.stopSignal.signal }).catch(() => undefined);
  }
}
