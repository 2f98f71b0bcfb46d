import type { GatewayTargets } from './gateway-targets.js';
import type { UnpostedRecords } from './memory-admission.js';
import { readUnposted } from './posting-wire.js';

const DEADLINE_MS = 2_000;
/** Younger ones are most likely on their way. */
const OLDER_THAN_MS = 2_000;

/** What the gateways' own admissions wait for: one bounded page of each, see `UnpostedPages`. */
export class HttpAdmissionView {
  constructor(private readonly targets: GatewayTargets) {}

  /** @throws when a gateway that counts as alive does not answer: the sweep is repeated anyway. */
  async unposted(): Promise<UnpostedRecords[]> {
    const targets = await this.targets.current();
    const path = `/internal/gateway/admission/unposted?olderThanMs=${OLDER_THAN_MS}`;
    const pages = await Promise.all(targets.map(({ client }) => client.call({ method: 'GET', path, deadlineMs: DEADLINE_MS, read: readUnposted })));
    return pages.flat();
  }
}
