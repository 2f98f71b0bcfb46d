import { randomUUID } from 'node:crypto';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { USAGE_PATTERN, UsageBatchModule, billingInternal, deadLimitsOf, openBilling } from '@tokone/billing';
import type { Billing, BillingPublishers } from '@tokone/billing';
import type { Settings } from '@tokone/http';
import { CarefulProducer, EventLogTransport, KafkaChargePublisher, KafkaConnection, KafkaDeadPublisher, KafkaEventLog, Watermarks } from '@tokone/messaging';
import { Uuid7Source } from '@tokone/protocol';
import { HealthChecks, HealthModule, MetricsModule, ServiceListeners, internalAddress, internalModule, managementAddress } from '@tokone/service';
import type { RunningService, ServiceWorld } from '@tokone/service';
import { RegistryBillingMetrics, showLag } from '@tokone/telemetry';
import type { BillingMetrics } from '@tokone/telemetry';
import type { SETTINGS } from './settings.js';

/** Below the deadline of a publication, so that it is the producer that gives up. */
const SEND_DEADLINE_MS = 4_000;

/** Rates usage, publishes charges, and answers for prices and usage. Any number of these may run. */
export async function startBilling(settings: Settings<typeof SETTINGS>, world: ServiceWorld): Promise<RunningService> {
  const { logger, metrics, tracing, parts, now } = world;
  const billingMetrics = new RegistryBillingMetrics(metrics);
  const connection = new KafkaConnection({ brokers: settings.KAFKA_BROKERS, clientId: `tokone-billing-${randomUUID()}`, topicPrefix: settings.TOKONE_KAFKA_TOPIC_PREFIX, logger, now });
  const publishers = openPublishers(connection, world);
  const options = { databaseUrl: settings.DATABASE_URL, log: logger, metrics: billingMetrics, tracing, now, prepared: true, deadLimits: deadLimitsOf(settings.TOKONE_DEAD_LIMIT) };
  const billing = parts.add('billing', await openBilling(options), (opened) => opened.stop());
  await billing.startParkedRating();
  billing.startPublishing(publishers);
  await startRating(billing, connection, { ...world, billingMetrics });
  const watermarks = parts.add('watermarks', new Watermarks(connection), (opened) => opened.close());
  showLag(metrics, 'bill_lag_records', () => watermarks.lag('billing', 'usage.recorded'));
  const listeners = new ServiceListeners(parts);
  const management = await listeners.open({ name: 'management listener', address: managementAddress(settings), modules: [HealthModule.with(new HealthChecks(billing.healthChecks())), MetricsModule.with(metrics)] });
  const modules = [internalModule({ secret: settings.TOKONE_INTERNAL_SECRET, logger, ...billingInternal(billing) })];
  const internal = await listeners.open({ name: 'internal listener', address: internalAddress(settings), modules });
  return { address: `internal ${internal.url}, management ${management.url}` };
}

function openPublishers(connection: KafkaConnection, { parts, now, logger }: ServiceWorld): BillingPublishers {
  const producer = (): CarefulProducer => new CarefulProducer(connection, { sendDeadlineMs: SEND_DEADLINE_MS, onUnconfirmed: (unconfirmed) => logger.warn({ ...unconfirmed }, 'Kafka acknowledged records that it had not stored; they are sent again') });
  const charges = parts.add('publisher of charges', new KafkaChargePublisher({ connection, producer: producer(), ids: new Uuid7Source(now), now }), (opened) => opened.close());
  const dead = parts.add('publisher of dead records', new KafkaDeadPublisher({ connection, producer: producer() }), (opened) => opened.close());
  return { charges, dead };
}

/** Nest's own microservice machinery, over a transport that hands over whole batches. */
async function startRating(billing: Billing, connection: KafkaConnection, { parts, logger, billingMetrics }: ServiceWorld & { billingMetrics: BillingMetrics }): Promise<void> {
  const onTrouble = ({ cause, ...trouble }: { cause: unknown }): void => {
    logger.error({ ...trouble, cause: String(cause) }, 'usage could not be rated; it is tried again');
    billingMetrics.alarm('rating_failed');
  };
  const eventLog = new KafkaEventLog({ connection, random: Math.random, onTrouble });
  const { batchSize, lingerMs } = billing.usageConsumer;
  const strategy = new EventLogTransport({ eventLog, pattern: USAGE_PATTERN, batchSize, lingerMs, cursor: (partition) => billing.usageConsumer.cursor(partition) });
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(UsageBatchModule.with(billing), { strategy, logger: false });
  parts.add('rating', app, (opened) => opened.close());
  await app.listen();
}
