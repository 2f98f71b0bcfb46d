// A gateway's spool and its shipper, without the gateway: fills the spool, and ships it to Kafka when it is told to.
import { KafkaConnection, CarefulProducer, UsageShipper } from '@tokone/messaging';
import { Spool } from '@tokone/spool';
import { createLogger } from '@tokone/telemetry';
import { fillSpool } from './spool-content.js';
import type { SpoolPlan, SpoolTotals } from './spool-content.js';

export type SpoolOrder = { kind: 'fill'; plan: SpoolPlan } | { kind: 'ship'; brokers: readonly string[]; topicPrefix: string } | { kind: 'close' };
export type SpoolAnswer = { totals: SpoolTotals } | { startedAtMs: number; shippedAtMs: number } | { closed: true } | { fault: string };

const SHIP_DEADLINE_MS = 300_000;
const [folder = ''] = process.argv.slice(2);
const now = () => Date.now();
const logger = createLogger('bench', 'warn');
const spool = await Spool.open({ folder, now, onAlarm: (alarm) => logger.error({ ...alarm }, 'alarm: spool') });

async function obey(order: SpoolOrder): Promise<SpoolAnswer> {
  switch (order.kind) {
    case 'fill':
      return { totals: await fillSpool(spool, order.plan) };
    case 'ship':
      return ship(order);
    case 'close':
      await spool.close();
      return { closed: true };
  }
}

async function ship({ brokers, topicPrefix }: { brokers: readonly string[]; topicPrefix: string }): Promise<SpoolAnswer> {
  const connection = new KafkaConnection({ brokers, clientId: 'tokone-bench', topicPrefix, logger, now });
  const onTrouble = ({ cause, ...trouble }: { cause: unknown }) => logger.error({ ...trouble, cause: String(cause) }, 'usage could not be shipped');
  const startedAtMs = now();
  const shipper = await UsageShipper.start({ spool, connection, producer: new CarefulProducer(connection), now, cursorPath: `${folder}.shipped`, random: Math.random, onTrouble });
  try {
    await shipper.caughtUp(SHIP_DEADLINE_MS);
    return { startedAtMs, shippedAtMs: now() };
  } finally {
    await shipper.stop();
  }
}

process.on('message', (order: SpoolOrder) => {
  obey(order).then(
    (answer) => process.send?.(answer),
    (error: unknown) => process.send?.({ fault: String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
process.on('SIGTERM', () => process.exit(0));
process.send?.({ port: 0 });
