import { setTimeout as pause } from 'node:timers/promises';
import type { TopicName } from '@tokone/events';
import { KafkaAdmin, type Offsets } from './kafka-admin.js';
import type { KafkaConnection } from './kafka-connection.js';
import { writePartitionName } from './partition-name.js';

/** What a partition of a log holds: the offsets from `low` on, and none from `high` on. */
export interface LogRange {
  name: string;
  low: bigint;
  high: bigint;
}

const POLL_MS = 50;

/**
 * How far a topic goes, and how far a group has come: for whoever must know that everything up to now was handled.
 * A group's committed offset is never beyond what its consumers have stored, so "passed" is true of their databases.
 */
export class Watermarks {
  private readonly admin: KafkaAdmin;

  constructor(private readonly connection: KafkaConnection) {
    this.admin = new KafkaAdmin(connection);
  }

  /** The end of each partition now: behind everything that was acknowledged to a producer before the call. */
  async endOffsets(topic: TopicName): Promise<Offsets> {
    const ranges = await this.admin.ranges(this.connection.topic(topic));
    return new Map([...ranges].map(([partition, { high }]) => [partition, high]));
  }

  /** Whether the group has come up to these offsets within the deadline. An unreachable broker is no answer: it is asked again. */
  async groupPassed(group: string, topic: TopicName, { offsets, deadlineMs }: { offsets: Offsets; deadlineMs: number }): Promise<boolean> {
    const deadline = AbortSignal.timeout(deadlineMs);
    const names = { group: this.connection.group(group), topic: this.connection.topic(topic) };
    return pollUntil(() => hasPassed(this.admin, names, offsets), deadline);
  }

  /** How many records of each partition the group has not committed. */
  async lag(group: string, topic: TopicName): Promise<Map<number, number>> {
    const names = { group: this.connection.group(group), topic: this.connection.topic(topic) };
    const ranges = await this.admin.ranges(names.topic);
    const committed = await this.admin.committed(names.group, names.topic);
    // What is gone from the log nobody waits for any more.
    return new Map([...ranges].map(([partition, { low, high }]) => [partition, Math.max(0, Number(high - (committed.get(partition) ?? low)))]));
  }

  /** The partitions of `usage.recorded` under the names of their cursors. */
  async usagePartitions(): Promise<LogRange[]> {
    const topic = this.connection.topic('usage.recorded');
    const clusterId = await this.admin.clusterId();
    const ranges = await this.admin.ranges(topic);
    return [...ranges].map(([partition, { low, high }]) => ({ name: writePartitionName({ clusterId, topic, partition }), low, high }));
  }

  /** Of `usage.recorded`, for the fence of admission. */
  usageEnd(): Promise<Offsets> {
    return this.endOffsets('usage.recorded');
  }

  usagePassed(offsets: Offsets, deadlineMs: number): Promise<boolean> {
    return this.groupPassed('billing', 'usage.recorded', { offsets, deadlineMs });
  }

  /** Of `charge.rated`, for the fence of admission. */
  chargesEnd(): Promise<Offsets> {
    return this.endOffsets('charge.rated');
  }

  chargesPassed(offsets: Offsets, deadlineMs: number): Promise<boolean> {
    return this.groupPassed('account', 'charge.rated', { offsets, deadlineMs });
  }

  close(): Promise<void> {
    return this.admin.close();
  }
}

/** Real names, the prefix included. */
export interface GroupOfTopic {
  group: string;
  topic: string;
}

/** One look: whether the group has committed all of it. A partition that never held a record is passed by itself. */
export async function hasPassed(admin: KafkaAdmin, { group, topic }: GroupOfTopic, offsets: Offsets): Promise<boolean> {
  const committed = await admin.committed(group, topic);
  return [...offsets].every(([partition, offset]) => offset === 0n || (committed.get(partition) ?? 0n) >= offset);
}

/** Asks until the answer is yes, or the signal comes. A question that fails, or has no answer by then, counts as no. */
export async function pollUntil(ask: () => Promise<boolean>, signal: AbortSignal): Promise<boolean> {
  const over = new Promise<false>((resolve) => signal.addEventListener('abort', () => resolve(false), { once: true }));
  while (!signal.aborted) {
    const passed = await Promise.race([ask().catch(() => false), over]);
    if (passed) return true;
    await pause(POLL_MS, undefined, { signal }).catch(() => undefined);
  }
  return false;
}
