import type { TopicName } from '@tokone/events';
import type { Logger } from '@tokone/telemetry';
import { Kafka, Partitioners, logLevel, type Admin, type Consumer, type ConsumerConfig, type LogEntry, type Producer, type RetryOptions } from 'kafkajs';
import { quietRequestQueues } from './quiet-request-queue.js';

export interface KafkaConnectionOptions {
  /** `host:port` of some brokers; the others are learnt from them. */
  brokers: readonly string[];
  clientId: string;
  /** In front of every topic and group, so that several deployments share a cluster. */
  topicPrefix: string;
  logger: Logger;
  /** Milliseconds since 1970. */
  now: () => number;
}

const CONNECTION_TIMEOUT_MS = 3_000;
const REQUEST_TIMEOUT_MS = 10_000;
/** About 13 s of attempts: a broker that restarts, or a leader that is elected anew, is waited for inside the client. */
const PATIENT: RetryOptions = { initialRetryTime: 100, multiplier: 2, factor: 0.2, maxRetryTime: 2_000, retries: 10 };
/** About 3 s: a producer that cannot connect is given up, and made anew when its owner tries again. */
const CONNECTING: RetryOptions = { ...PATIENT, retries: 4 };
/** A few questions that somebody waits for: whoever asks has a deadline and asks again. */
const BRIEF: RetryOptions = { ...PATIENT, retries: 2 };
const REPEATED_LINE_MS = 10_000;
/** The client warns of any bound on retries. Ours is safe: after a failure the whole producer is thrown away. */
const EXPECTED_LINES = ['Limiting retries for the idempotent producer'];

/**
 * The one place that makes Kafka clients. Each is a client of its own: kafkajs shares what it knows of a group's
 * offsets between all consumers of one client, so that two of the same group would clear each other's.
 */
export class KafkaConnection {
  private readonly saidAtMs = new Map<string, number>();

  constructor(private readonly options: KafkaConnectionOptions) {
    quietRequestQueues(options.now);
  }

  topic(name: TopicName): string {
    return this.options.topicPrefix + name;
  }

  group(name: string): string {
    return this.options.topicPrefix + name;
  }

  /** Idempotent, one request at a time to each broker. */
  producer(): Producer {
    return this.client(CONNECTING).producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      // Never asked: every record names its partition.
      createPartitioner: Partitioners.DefaultPartitioner,
      retry: PATIENT,
    });
  }

  /** It never restarts itself: kafkajs restarts a consumer that was disconnected meanwhile, and nobody owns that one. */
  consumer(config: ConsumerConfig): Consumer {
    const retry = { ...PATIENT, restartOnFailure: () => Promise.resolve(false) };
    return this.client(PATIENT).consumer({ ...config, allowAutoTopicCreation: false, retry });
  }

  admin(): Admin {
    return this.client(BRIEF).admin({ retry: BRIEF });
  }

  private client(retry: RetryOptions): Kafka {
    const { brokers, clientId } = this.options;
    return new Kafka({
      brokers: [...brokers],
      clientId,
      connectionTimeout: CONNECTION_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      enforceRequestTimeout: true,
      retry,
      logLevel: logLevel.WARN,
      logCreator: () => (entry) => this.say(entry),
    });
  }

  /** A client that cannot reach its broker says so at each attempt; once in a while is enough. Entries can carry requests: only these fields go on. */
  private say({ namespace, log }: LogEntry): void {
    const { message, error, groupId, broker } = log as { message: string; error?: unknown; groupId?: string; broker?: string };
    if (EXPECTED_LINES.some((line) => message.startsWith(line))) return;
    const reason = (typeof error === 'string' ? `${message}: ${error}` : message).slice(0, 500);
    const line = `${namespace} ${groupId} ${broker} ${reason}`;
    const nowMs = this.options.now();
    if (nowMs - (this.saidAtMs.get(line) ?? -Infinity) < REPEATED_LINE_MS) return;
    if (this.saidAtMs.size > 1_000) this.saidAtMs.clear();
    this.saidAtMs.set(line, nowMs);
    this.options.logger.warn({ namespace, groupId, broker, reason }, 'the Kafka client reports trouble');
  }
}
