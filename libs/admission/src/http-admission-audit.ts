import type { AdmissionAudit, AuditedAccount } from './admission-audit.js';
import { readAuditPage } from './audit-wire.js';
import type { GatewayTargets } from './gateway-targets.js';

const DEADLINE_MS = 5_000;

/** The admissions of all gateways that are alive, each in pages. */
export class HttpAdmissionAudit implements AdmissionAudit {
  constructor(private readonly targets: GatewayTargets) {}

  /** @throws when no gateway is alive, or one that counts as alive does not answer: nothing is known of its holds then. */
  async *pages(): AsyncGenerator<AuditedAccount[]> {
    const targets = await this.targets.current();
    if (targets.length === 0) throw new Error('no gateway is alive');
    for (const { client } of targets) {
      for (let after: number | undefined = 0; after !== undefined; ) {
        const path: string = `/internal/gateway/admission/audit?after=${after}`;
        const page: ReturnType<typeof readAuditPage> = await client.call({ method: 'GET', path, deadlineMs: DEADLINE_MS, read: readAuditPage });
        yield page.accounts;
        after = page.last;
      }
    }
  }
}
