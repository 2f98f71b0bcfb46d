/** One run of one gateway. */
export interface GatewayIdentity {
  /** Of its spool: the same after each start of the gateway. A UUID. */
  gatewayId: string;
  /** Of this process: another one after each start. A UUID. */
  instanceId: string;
}

/** A gateway that was heard of a moment ago, and where its internal listener is. */
export interface LiveGateway extends GatewayIdentity {
  /** `http://host:port` of its internal listener. */
  url: string;
}

/**
 * What a gateway is to the account service. Drivers: account's own table, HTTP to the account service.
 * Admission is a map of one process today, so that one gateway at a time may serve.
 */
export interface GatewayRegistry {
  /** At least every second. @throws `other_gateway` (see `isOtherGateway`) while another one, or another run of this one, is alive. */
  heartbeat(gateway: LiveGateway): Promise<void>;
  /** The gateway serves no more; another one may begin at once. Harmless when repeated, and for a run that is not known. */
  leave(gateway: GatewayIdentity): Promise<void>;
}

/** The code of a heartbeat that was refused. */
export const OTHER_GATEWAY = 'other_gateway';

/** Whether a heartbeat failed because another gateway is alive: its own message says so in a sentence. */
export function isOtherGateway(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && error.code === OTHER_GATEWAY;
}

/** How far a gateway has come through the fence. */
export type FenceAnswer = { passed: true } | { passed: false; /** a part of a sentence: what has to happen first */ waitingFor: string };

/**
 * What stands between the start of a gateway and its first admission: everything that it, or a run of it before, has
 * published is rated and posted. The gateway has shipped its whole spool before it asks, since the fence waits for what
 * the log holds at the first question.
 */
export interface AdmissionFence {
  /** Waits up to `deadlineMs`, then says what is missing. Asked again it goes on where it was; passed once, it stays passed for this run. */
  pass(gateway: GatewayIdentity, deadlineMs: number): Promise<FenceAnswer>;
}
