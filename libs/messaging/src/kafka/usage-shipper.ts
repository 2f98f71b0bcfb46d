import { partitionOf } from '@tokone/events';
import type { Spool } from '@tokone/spool';
import { BatchSpans, noTracing } from '@tokone/telemetry';
import type { Tracing } from '@tokone/telemetry';
import type { ConsumptionOptions } from '../consumption-trouble.js';
import { CursorFile } from '../cursor-file.js';
import type { Consumption, LogBatch, LogRecord } from '../event-log.js';
import type { StoredTally } from '../record-tally.js';
import { SpoolEventLog } from '../spool-event-log.js';
import { TalliedConsumer } from '../tallied-consumer.js';
import type { CarefulProducer } from './careful-producer.js';
import type { KafkaConnection } from './kafka-connection.js';
import type { ProducedRecord } from './produce-portions.js';

export interface UsageShipperOptions extends ConsumptionOptions {
  spool: Spool;
  connection: KafkaConnection;
  /** The shipper's own: it closes it. */
  producer: CarefulProducer;
  /** Beside the spool's folder, not in it. */
  cursorPath: string;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Most records that are on their way at once. */
  batchSize?: number;
  /** Default: nothing is recorded. */
  tracing?: Tracing;
}

/** By it, each partition's share is a batch as billing likes them. */
const BATCH_SIZE = 4_000;
/** A request to Kafka costs both sides far more than a record in it. */
const LINGER_MS = 50;
const STOP_GRACE_MS = 3_000;

/**
 * Brings what the gateway's spool says was used to `usage.recorded`, at least once, in the spool's order for each
 * account, and releases from the spool what Kafka has. While Kafka is away the spool grows; nothing else waits.
 */
export class UsageShipper {
  private readonly shipment: Shipment;

  private constructor(
    private readonly options: UsageShipperOptions,
    private readonly parts: { shipment: Shipment; tallied: TalliedConsumer; consumption: Consumption; cursorFile: CursorFile },
  ) {
    this.shipment = parts.shipment;
  }

  static async start(options: UsageShipperOptions): Promise<UsageShipper> {
    const cursorFile = new CursorFile(options.cursorPath);
    const shipment = new Shipment(options);
    const tallied = new TalliedConsumer({ ...options, consumer: shipment, cursorFile });
    const consumption = await new SpoolEventLog(options.spool, options).consume(tallied);
    return new UsageShipper(options, { shipment, tallied, consumption, cursorFile });
  }

  /** Resolves when Kafka has all that was in the spool at the call; rejects with a `CatchUpError` after the deadline. */
  caughtUp(deadlineMs: number): Promise<void> {
    return this.parts.consumption.caughtUp(deadlineMs);
  }

  /** When the oldest request ended of those that are being sent, milliseconds since 1970; undefined when none is. */
  get oldestUnshippedMs(): number | undefined {
    return this.shipment.oldestMs;
  }

  get shippedRecords(): number {
    return this.shipment.shippedRecords;
  }

  /** What Kafka has acknowledged, by the minute of its ids; undefined before the cursor is known. */
  get tallied(): StoredTally | undefined {
    return this.parts.tallied.tallied;
  }

  /** Lets a running send end, for three seconds at most. What is not sent stays in the spool. */
  async stop(): Promise<void> {
    const stopped = this.parts.consumption.stop();
    const timer = setTimeout(() => void this.options.producer.close(), STOP_GRACE_MS);
    await stopped.finally(() => clearTimeout(timer));
    await this.options.producer.close();
    await this.parts.cursorFile.flush();
  }
}

class Shipment {
  readonly batchSize: number;
  readonly lingerMs = LINGER_MS;
  oldestMs: number | undefined;
  shippedRecords = 0;
  private readonly topic: string;

  constructor(private readonly options: UsageShipperOptions) {
    this.batchSize = options.batchSize ?? BATCH_SIZE;
    this.topic = options.connection.topic('usage.recorded');
  }

  async handle({ records }: LogBatch): Promise<void> {
    // The first that can be read; the others stay unread.
    this.oldestMs = records.find(({ event }) => event)?.event?.endedAtMs;
    const { producer, tracing = noTracing } = this.options;
    const spans = BatchSpans.start(tracing, () => records.flatMap(traceOf), { name: 'send usage.recorded', kind: 'producer', attributes: { messagingSystem: 'kafka', messagingOperation: 'send', messagingDestination: 'usage.recorded', batchMessages: records.length } });
    await spans.around(() => producer.send(this.topic, records.map(toProduced)));
    this.oldestMs = undefined;
    this.shippedRecords += records.length;
  }
}

/**
 * As `writeUsageRecorded` begins a text. Of it, Kafka needs the account alone; reading the whole event for that would take
 * as long as everything else that the shipper does.
 */
const HEAD = /^\{"schema":2,"id":"([0-9a-f-]{36})","traceparent":(?:null|"([0-9a-f-]{55})"),"accountId":"([0-9a-f-]{36})",/;
/** The event says everything itself, and each header costs the client a buffer of its own. */
const NO_HEADERS = {};

/** What cannot be read goes on as it is, so that billing keeps it with its bytes: the spool is not the place where it would be found. */
export function toProduced(record: LogRecord): ProducedRecord {
  const { raw } = record;
  const accountId = HEAD.exec(raw)?.[3] ?? record.event?.accountId;
  if (accountId === undefined) return { partition: 0, key: null, value: raw, headers: NO_HEADERS };
  return { partition: partitionOf(accountId), key: accountId, value: raw, headers: NO_HEADERS };
}

function traceOf({ raw }: LogRecord): (readonly [requestId: string, traceparent: string])[] {
  const [, id, traceparent] = HEAD.exec(raw) ?? [];
  return id !== undefined && traceparent !== undefined ? [[id, traceparent]] : [];
}
