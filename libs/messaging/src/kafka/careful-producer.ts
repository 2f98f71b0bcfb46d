import type { Message, Producer, RecordMetadata } from 'kafkajs';
import type { KafkaConnection } from './kafka-connection.js';
import { atMost, unlessAborted } from './patience.js';
import { portionsOf, type ProducedRecord } from './produce-portions.js';

/** Records that Kafka's answer did not confirm, though the client called the send a success. */
export interface UnconfirmedRecords {
  topic: string;
  partitions: readonly number[];
  records: number;
}

export interface CarefulProducerOptions {
  /** Of one `send`, from its turn on. */
  sendDeadlineMs?: number;
  onUnconfirmed?: (unconfirmed: UnconfirmedRecords) => void;
}

const SEND_DEADLINE_MS = 30_000;
/** What the broker waits for its replicas. */
const REPLICATION_TIMEOUT_MS = 8_000;
const CLOSE_DEADLINE_MS = 2_000;

/**
 * Produces with all acknowledgements, and does not believe the client. kafkajs 2.2.4 resolves a send to several leaders
 * when the partitions of one of them, that died, were stored nowhere (issue #1303): so each partition that was sent must
 * stand in the answer, and those that do not are sent again, under the same numbers, so that none is stored twice.
 *
 * After a failed send nobody knows what was stored, and kafkajs gives its numbers to the next records: a broker would
 * take these for repetitions, and acknowledge what it does not store. So the whole producer is thrown away, and the
 * caller's repetition may be stored twice. Sends run one after the other, for the same reason.
 */
export class CarefulProducer {
  private producer: { client: Producer; connected: Promise<void> } | undefined;
  private turn: Promise<unknown> = Promise.resolve();
  private attempting: Promise<unknown> = Promise.resolve();
  private readonly closing = new AbortController();
  /** Thrown away, and not yet gone. */
  private readonly leaving = new Set<Promise<unknown>>();

  constructor(
    private readonly connection: KafkaConnection,
    private readonly options: CarefulProducerOptions = {},
  ) {}

  /**
   * Resolves when every record is stored by all replicas in sync, in order within a partition. Rejects when that is not
   * known: then some may be stored, and the caller sends all of them again. `topic` is the real name.
   */
  send(topic: string, records: readonly ProducedRecord[]): Promise<void> {
    const sent = this.turn.then(() => this.sendInTurn(topic, records));
    this.turn = sent.catch(() => undefined);
    return sent;
  }

  /** Ends a running send, which rejects. */
  async close(): Promise<void> {
    this.closing.abort();
    await this.turn;
    this.throwAway();
    await atMost(CLOSE_DEADLINE_MS, Promise.all(this.leaving));
  }

  private async sendInTurn(topic: string, records: readonly ProducedRecord[]): Promise<void> {
    const deadline = AbortSignal.timeout(this.options.sendDeadlineMs ?? SEND_DEADLINE_MS);
    const end = AbortSignal.any([deadline, this.closing.signal]);
    try {
      for (const portion of portionsOf(records)) await this.sendPortion(topic, portion, end);
    } catch (cause) {
      this.throwAway();
      throw new Error(this.closing.signal.aborted ? 'The producer is closed.' : `records could not be written to ${topic}`, { cause });
    }
  }

  private async sendPortion(topic: string, portion: readonly ProducedRecord[], end: AbortSignal): Promise<void> {
    let waiting = portion;
    while (waiting.length > 0) {
      end.throwIfAborted();
      const attempt = this.attempt(topic, waiting);
      this.attempting = attempt.catch(() => undefined);
      const stored = await unlessAborted(attempt, end);
      waiting = waiting.filter(({ partition }) => !stored.has(partition));
      if (waiting.length > 0) this.tellUnconfirmed(topic, waiting);
    }
  }

  /** The partitions that are stored. */
  private async attempt(topic: string, records: readonly ProducedRecord[]): Promise<Set<number>> {
    const { client, connected } = (this.producer ??= this.connect());
    await connected;
    const messages: Message[] = records.map((record) => ({ ...record }));
    const answer = await client.send({ topic, messages, acks: -1, timeout: REPLICATION_TIMEOUT_MS });
    return storedPartitions(answer, topic);
  }

  private connect(): { client: Producer; connected: Promise<void> } {
    const client = this.connection.producer();
    return { client, connected: client.connect() };
  }

  /** A send that still runs connects the client again: it is disconnected once more when that one has failed. */
  private throwAway(): void {
    const { producer, attempting } = this;
    this.producer = undefined;
    if (!producer) return;
    const disconnect = (): Promise<void> => producer.client.disconnect().catch(() => undefined);
    const gone = disconnect()
      .then(() => Promise.allSettled([producer.connected, attempting]))
      .then(disconnect);
    this.leaving.add(gone);
    void gone.then(() => this.leaving.delete(gone));
  }

  private tellUnconfirmed(topic: string, waiting: readonly ProducedRecord[]): void {
    this.options.onUnconfirmed?.({ topic, partitions: [...new Set(waiting.map(({ partition }) => partition))], records: waiting.length });
  }
}

export function storedPartitions(answer: readonly RecordMetadata[], topic: string): Set<number> {
  return new Set(answer.filter(({ topicName, errorCode }) => topicName === topic && errorCode === 0).map(({ partition }) => partition));
}
