import { brokers, choice, integer, internalSecret, pattern, redisUrl, text } from '@tokone/http';
import { LOG_LEVELS } from '@tokone/telemetry';
import type { ListenerAddress } from './listener.js';
import { TRACE_SETTINGS } from './trace-settings.js';

/** What every service can be told. */
export const SERVICE_SETTINGS = {
  INTERNAL_HOST: text('Address of the listener for the other services. Never one that tenants reach.', '127.0.0.1'),
  INTERNAL_PORT: integer('Port of the listener for the other services; 0 takes a free one.', 7100, { min: 0, max: 65_535 }),
  MANAGEMENT_HOST: text('Address of the listener for health, metrics and operators. Never one that tenants reach.', '127.0.0.1'),
  MANAGEMENT_PORT: integer('Port of the listener for health, metrics and operators; 0 takes a free one.', 7200, { min: 0, max: 65_535 }),
  TOKONE_INTERNAL_SECRET: internalSecret('What the services of a deployment prove to each other with; the same for all of them.'),
  TOKONE_LIFELINE: choice('stdin: the service stops when its standard input closes, so that it does not outlive a supervisor that was killed.', 'none', ['none', 'stdin']),
  LOG_LEVEL: choice('Least level of the JSON log lines on standard error.', 'warn', LOG_LEVELS),
  ...TRACE_SETTINGS,
} as const;

/** Where the listener for the other services is, as these settings say. */
export function internalAddress({ INTERNAL_HOST: host, INTERNAL_PORT: port }: { INTERNAL_HOST: string; INTERNAL_PORT: number }): ListenerAddress {
  return { host, port, settings: { host: 'INTERNAL_HOST', port: 'INTERNAL_PORT' } };
}

/** The same of the listener for health and operators. */
export function managementAddress({ MANAGEMENT_HOST: host, MANAGEMENT_PORT: port }: { MANAGEMENT_HOST: string; MANAGEMENT_PORT: number }): ListenerAddress {
  return { host, port, settings: { host: 'MANAGEMENT_HOST', port: 'MANAGEMENT_PORT' } };
}

const topicPrefix = pattern('In front of every topic and consumer group, so that several deployments share a cluster.', '', {
  matches: /^[\w.-]{0,150}$/,
  sentence: 'is no beginning of a topic\'s name: letters, digits, points, dashes and underscores, at most 150.',
});

/** Of services that speak to Kafka. */
export const KAFKA_SETTINGS = {
  KAFKA_BROKERS: brokers('Brokers of the Kafka cluster, host:port with commas in between.'),
  TOKONE_KAFKA_TOPIC_PREFIX: topicPrefix,
} as const;

const redisPrefix = pattern('In front of every key, so that several deployments share a server.', 'tokone:', {
  matches: /^[\w:.-]{1,100}$/,
  sentence: 'is no beginning of a key: letters, digits, colons, points, dashes and underscores, at most 100.',
});

/** Of services that speak to Redis. */
export const REDIS_SETTINGS = {
  REDIS_URL: redisUrl('Redis, where the balances are that gateways share: redis://host:port. More of them with commas in between are nodes of a Redis Cluster.'),
  TOKONE_REDIS_CLUSTER: choice('yes: a single address in REDIS_URL is a node of a Redis Cluster too.', 'no', ['no', 'yes']),
  TOKONE_REDIS_PREFIX: redisPrefix,
} as const;
