import { Server, type CustomTransportStrategy } from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';
import type { Consumption, EventLog } from './event-log.js';

export interface EventLogTransportOptions {
  eventLog: EventLog;
  /** Of the handler: `@EventPattern(pattern)`. There is one, and it gets each whole `LogBatch`. */
  pattern: string;
  batchSize: number;
  lingerMs: number;
  cursor(partition: string): Promise<bigint | undefined>;
}

/**
 * Lets a Nest microservice consume an event log in whole batches. Nest's own Kafka transport hands over one message at
 * a time, commits apart from the database, and repeats a poison message for ever; here the handler gets a batch, stores
 * it with its cursor in one transaction, and the log repeats the batch when the handler fails.
 */
export class EventLogTransport extends Server implements CustomTransportStrategy {
  /** Nest would log an error of the handler, and take it for handled; here it is the log's to act on. */
  override propagatesEventHandlerErrors = true;
  private consumption: Consumption | undefined;

  constructor(private readonly options: EventLogTransportOptions) {
    super();
  }

  /** Called by Nest when every handler is known. */
  async listen(callback: (error?: unknown) => void): Promise<void> {
    const { eventLog, pattern, batchSize, lingerMs, cursor } = this.options;
    const handler = this.getHandlerByPattern(pattern);
    if (!handler?.isEventHandler) {
      callback(new Error(`No controller has a handler for the event ${pattern}.`));
      return;
    }
    try {
      this.consumption = await eventLog.consume({ batchSize, lingerMs, cursor, handle: (batch) => settled(handler(batch)) });
      callback();
    } catch (error) {
      callback(error);
    }
  }

  /** Of the log, while it is consumed. */
  get running(): Consumption {
    if (!this.consumption) throw new Error(`The log of ${this.options.pattern} is not consumed yet.`);
    return this.consumption;
  }

  /** Finishes the running batch. Called by Nest when the application closes. */
  async close(): Promise<void> {
    await this.consumption?.stop();
  }

  /** There is no client of a driver to reach behind this one. */
  unwrap<T>(): T {
    throw new Error('An event log has no client of its own.');
  }

  on(): void {
    // It has no events to tell of.
  }
}

type Answer = ReturnType<NonNullable<ReturnType<Server['getHandlerByPattern']>>>;

/** The handler's answer, when it failed, is a stream that ends with an error: of Nest's, which logs the real one, unless a filter passes that on. */
async function settled(answer: Answer): Promise<void> {
  const result: unknown = await answer;
  if (!isObservable(result)) return;
  try {
    await lastValueFrom(result, { defaultValue: undefined });
  } catch (cause) {
    throw cause instanceof Error ? cause : new Error('the handler of a batch failed', { cause });
  }
}

