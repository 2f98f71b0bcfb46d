import { GatewayMembership, HttpGatewayRegistry, isOtherGateway, passFence } from '@tokone/account-client';
import type { LiveGateway } from '@tokone/account-client';
import type { Gateway } from '@tokone/gateway';
import type { InternalClient } from '@tokone/http';
import { CarefulProducer, UsageShipper } from '@tokone/messaging';
import type { KafkaConnection } from '@tokone/messaging';
import { StartupError } from '@tokone/persistence';
import type { ServiceWorld } from '@tokone/service';
import type { Spool } from '@tokone/spool';

export interface PassageInput {
  gateway: Gateway;
  spool: Spool;
  account: InternalClient;
  kafka: KafkaConnection;
  identity: LiveGateway;
  cursorPath: string;
}

/** The account service may start at the same time. */
const JOIN_DEADLINE_MS = 60_000;
/** What a crash left must be in Kafka, rated and posted before a balance is read, however long that takes. */
const PASSAGE_DEADLINE_MS = 3_600_000;
/** At the stop: what is answered is in the spool, and goes out after the next start if Kafka is away. */
const LAST_SHIPMENT_MS = 10_000;

/**
 * From an opened spool to the first balance that may be read: the place among the gateways, what a crash left open is
 * closed, the whole spool is shipped, and the fence is passed. @throws StartupError, for a second gateway too.
 */
export async function passStart({ gateway, spool, account, kafka, identity, cursorPath }: PassageInput, { parts, logger, stop, now }: ServiceWorld): Promise<{ replaced: Promise<string>; shipper: UsageShipper }> {
  const registry = new HttpGatewayRegistry(account);
  const waitFor = (what: string): void => void (gateway.startWaitsFor = what);
  let tell: (reason: string) => void = () => undefined;
  const replaced = new Promise<string>((resolve) => (tell = resolve));
  const membership = new GatewayMembership({ registry, gateway: identity, logger, onReplaced: (reason) => tell(reason.message) });
  waitFor('its place among the gateways');
  await parts.whileWanted(membership.join({ deadlineMs: JOIN_DEADLINE_MS, stop }).catch(refuseStart));
  parts.add('place among the gateways', membership, (opened) => opened.leave());
  waitFor('the end of what a crash left open');
  await parts.whileWanted(gateway.recover());
  const producer = new CarefulProducer(kafka, { onUnconfirmed: (unconfirmed) => logger.warn({ ...unconfirmed }, 'Kafka acknowledged records that it had not stored; they are sent again') });
  const onTrouble = ({ cause, ...trouble }: { cause: unknown }): void => logger.error({ ...trouble, cause: String(cause) }, 'usage could not be shipped; it stays in the spool and is tried again');
  const shipper = await UsageShipper.start({ spool, connection: kafka, producer, cursorPath, now, random: Math.random, onTrouble });
  parts.add('shipper', shipper, async (opened) => {
    await opened.caughtUp(LAST_SHIPMENT_MS).catch(() => logger.warn({}, 'not everything that the spool holds could be shipped; the next start does it'));
    await opened.stop();
  });
  waitFor('Kafka, to take what the spool holds');
  await parts.whileWanted(shipper.caughtUp(PASSAGE_DEADLINE_MS));
  waitFor('billing and the ledger, to charge what was left');
  await parts.whileWanted(passFence({ fence: registry, gateway: identity, logger, deadlineMs: PASSAGE_DEADLINE_MS, onWait: waitFor, stop }));
  return { replaced, shipper };
}

function refuseStart(cause: unknown): never {
  if (isOtherGateway(cause)) throw new StartupError(cause.message, { cause });
  throw new StartupError('The account service does not answer. Start it, and see TOKONE_ACCOUNT_URLS.', { cause });
}
