/** One run of one gateway. */
export interface GatewayIdentity {
  /** Of its spool: the same after each start of the gateway. A UUID. */
  gatewayId: string;
  /** Of this process: another one after each start. A UUID. */
  instanceId: string;
}

/** A gateway and where its internal listener is. */
export interface LiveGateway extends GatewayIdentity {
  /** `http://host:port` of its internal listener. */
  url: string;
}

/**
 * What a gateway is to the account service: who must be asked before an account is opened. Any number of gateways, one
 * run of each. Drivers: account's own table, HTTP to the account service.
 */
export interface GatewayRegistry {
  /** This run begins. Who holds the spool is the gateway, so a run before it is over: its next heartbeat is refused. */
  join(gateway: LiveGateway): Promise<void>;
  /** At least every second. @throws `gateway_replaced` (see `isReplaced`) when a later run of this gateway has joined. */
  heartbeat(gateway: LiveGateway): Promise<void>;
  /** The gateway serves no more. Harmless when repeated, and for a run that is not known. */
  leave(gateway: GatewayIdentity): Promise<void>;
}

/** The code of a heartbeat that was refused. */
export const GATEWAY_REPLACED = 'gateway_replaced';

/** Whether a heartbeat failed because a later run of the gateway is there: its own message says so in a sentence. */
export function isReplaced(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && error.code === GATEWAY_REPLACED;
}
