import { StartupError } from '@tokone/persistence';
import type { GatewaySettings } from './settings.js';

/** As URLs write the addresses that mean all of a machine. */
const ALL_ADDRESSES = new Set(['0.0.0.0', '[::]']);

/**
 * What the account service is told to call. Undefined: where the internal listener turns out to listen.
 * @throws StartupError when that is every address of this machine: account would call its own, and no balance would
 * ever be told here.
 */
export function readAnnouncedUrl({ TOKONE_GATEWAY_URL: url, INTERNAL_HOST: host, INTERNAL_PORT: port }: Pick<GatewaySettings, 'TOKONE_GATEWAY_URL' | 'INTERNAL_HOST' | 'INTERNAL_PORT'>): string | undefined {
  if (url !== undefined || !ALL_ADDRESSES.has(hostnameOf(host))) return url;
  throw new StartupError(`TOKONE_GATEWAY_URL is not set, and INTERNAL_HOST=${host} is no address that the account service could call. Set it to this gateway's internal listener as account reaches it, like TOKONE_GATEWAY_URL=http://gateway:${port}`);
}

/** There is more than one way to write an address. What is none is refused when it is listened on. */
function hostnameOf(host: string): string {
  return URL.parse(`http://${host.includes(':') ? `[${host}]` : host}`)?.hostname ?? host;
}
