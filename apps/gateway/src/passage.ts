import { GatewayMembership, HttpGatewayRegistry } from '@tokone/account-client';
import type { LiveGateway } from '@tokone/account-client';
import type { Gateway } from '@tokone/gateway';
import type { InternalClient } from '@tokone/http';
import { CarefulProducer, UsageShipper } from '@tokone/messaging';
import type { KafkaConnection } from '@tokone/messaging';
import { StartupError } from '@tokone/persistence';
import type { ServiceWorld } from '@tokone/service';
import type { Spool } from '@tokone/spool';
import type { GatewayMetrics } from '@tokone/telemetry';
import type { OpenedAdmission } from './admission.js';

export interface PassageInput {
  gateway: Gateway;
  gatewayMetrics: GatewayMetrics;
  admission: OpenedAdmission;
  spool: Spool;
  account: InternalClient;
  kafka: KafkaConnection;
  identity: LiveGateway;
  cursorPath: string;
}

/** The account service may start at the same time. */
const JOIN_DEADLINE_MS = 60_000;
/** At the stop: what is answered is in the spool, and goes out after the next start if Kafka is away. The place stays then; see `GatewayMembership`. */
const LAST_SHIPMENT_MS = 10_000;

/**
 * From an opened spool to the first request that may be served: the place among the gateways, and the end of what a
 * crash left open. That is told as held before anything else, so that no account is opened without it.
 * @throws StartupError
 */
export async function passStart({ gateway, gatewayMetrics, admission, spool, account, kafka, identity, cursorPath }: PassageInput, { parts, logger, tracing, stop, now }: ServiceWorld): Promise<{ replaced: Promise<string>; shipper: UsageShipper }> {
  const waitFor = (what: string): void => void (gateway.startWaitsFor = what);
  let tell: (reason: string) => void = () => undefined;
  const replaced = new Promise<string>((resolve) => (tell = resolve));
  const membership = new GatewayMembership({ registry: new HttpGatewayRegistry(account), gateway: identity, logger, onReplaced: (reason) => tell(reason.message) });
  waitFor('the account service');
  await parts.whileWanted(membership.join({ deadlineMs: JOIN_DEADLINE_MS, stop }).catch(refuseStart));
  let isShipped = false;
  parts.add('place among the gateways', membership, (opened) => (isShipped ? opened.leave() : opened.fallSilent()));
  gateway.adoptOrphans();
  waitFor('Kafka');
  const producer = new CarefulProducer(kafka, { onUnconfirmed: (unconfirmed) => logger.warn({ ...unconfirmed }, 'Kafka acknowledged records that it had not stored; they are sent again') });
  const onTrouble = ({ cause, ...trouble }: { cause: unknown }): void => {
    logger.error({ ...trouble, cause: String(cause) }, 'usage could not be shipped; it stays in the spool and is tried again');
    gatewayMetrics.alarm('shipping_failed');
  };
  const shipper = await UsageShipper.start({ spool, connection: kafka, producer, cursorPath, tracing, now, random: Math.random, onTrouble });
  parts.add('shipper', shipper, async (opened) => {
    isShipped = await opened.caughtUp(LAST_SHIPMENT_MS).then(() => true, () => false);
    if (!isShipped) logger.warn({ gatewayId: identity.gatewayId }, 'not everything that the spool holds could be shipped: the next start on this disk does it. Until then this gateway stays among the gateways, and R5 is not checked');
    await opened.stop();
  });
  admission.shipsBy((deadlineMs) => shipper.caughtUp(deadlineMs));
  admission.holds.begin();
  waitFor('the end of what a crash left open');
  await parts.whileWanted(gateway.recover());
  return { replaced, shipper };
}

function refuseStart(cause: unknown): never {
  throw new StartupError('The account service does not answer. Start it, and see TOKONE_ACCOUNT_URLS.', { cause });
}
