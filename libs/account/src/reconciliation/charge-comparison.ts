import { IDS_AT_ONCE } from '@tokone/billing-client';
import type { ChargeSums, RatedAudit, RatedFact } from '@tokone/billing-client';
import type { IdRange } from '@tokone/protocol';
import { NotCheckedError } from './check-report.js';
import type { Findings } from './check-report.js';
import type { LedgerCharges } from './ledger-charges.js';

export interface ChargeComparisonParts {
  rated: RatedAudit;
  ledger: LedgerCharges;
  /** Whether all that billing has rated until the call is posted within the deadline. */
  settled(deadlineMs: number): Promise<boolean>;
}

const SETTLE_DEADLINE_MS = 30_000;
/** Pages that are read before the ledger is waited for. */
const PAGES_AT_ONCE = 50;

interface RatedPage {
  range: IdRange;
  sums: ChargeSums;
}

/**
 * R3 over ranges of ids. First billing's sums; then it is waited until everything rated by then is posted; then the
 * ledger's sums of the same ranges. Where they differ, both sides are read charge by charge in the same order, and what
 * the ledger alone has is asked of billing once more, which had to commit it first. So whatever is on its way is no
 * mismatch, however old or new it is, and whatever differs in the end is one.
 */
export class ChargeComparison {
  constructor(
    private readonly parts: ChargeComparisonParts,
    private readonly findings: Findings,
  ) {}

  async compare({ after, upTo }: IdRange): Promise<void> {
    let place: string | undefined = after;
    while (place !== undefined) {
      const pages: RatedPage[] = [];
      while (place !== undefined && pages.length < PAGES_AT_ONCE) {
        const page = await this.nextPage({ after: place, upTo });
        pages.push(page);
        place = page.range.upTo === upTo ? undefined : page.range.upTo;
      }
      await this.settle();
      const differing: IdRange[] = [];
      for (const page of pages) if (!(await this.isEqual(page))) differing.push(page.range);
      for (const range of differing) await this.compareEach(range);
    }
  }

  /** These charges once more, whatever their ids; those of the report before. */
  async compareAgain(ids: readonly string[]): Promise<void> {
    const rated = await this.parts.rated.chargesOf(ids);
    await this.settle();
    for (const { subject, detail } of await this.parts.ledger.faultsOf(ids)) this.findings.add(subject, detail);
    await this.judge({ rated: rated.filter(({ ratedNanoUsd }) => ratedNanoUsd > 0n), posted: await this.parts.ledger.chargesOf(ids) });
  }

  /** The range of a page is the shorter one of both sides, so that each of them reads a bounded part. */
  private async nextPage(range: IdRange): Promise<RatedPage> {
    const { rated, ledger } = this.parts;
    const [page, ledgerEnd] = await Promise.all([rated.chargePage(range), ledger.endOf(range)]);
    const ratedEnd = page.last ?? range.upTo;
    if (ledgerEnd === undefined || ledgerEnd >= ratedEnd) return { range: { ...range, upTo: ratedEnd }, sums: page };
    const shorter = { ...range, upTo: ledgerEnd };
    return { range: shorter, sums: await rated.chargePage(shorter) };
  }

  private async settle(): Promise<void> {
    if (await this.parts.settled(SETTLE_DEADLINE_MS)) return;
    throw new NotCheckedError(`the ledger has not posted within ${SETTLE_DEADLINE_MS / 1000} s what billing has rated`);
  }

  private async isEqual({ range, sums }: RatedPage): Promise<boolean> {
    const { ledger } = this.parts;
    const posted = await ledger.sums(range);
    const faults = [...(posted.faults > 0 ? await ledger.faults(range) : []), ...(await ledger.orphans(range))];
    for (const { subject, detail } of faults) this.findings.add(subject, detail);
    await this.compareZeros(range);
    return sums.count === posted.count && sums.ratedNanoUsd === posted.ratedNanoUsd && sums.chargeNanoUsd === posted.chargeNanoUsd && sums.fingerprint === posted.fingerprint;
  }

  /** A charge of 0 has no transfer; that it is done is noted, and then billing has rated it at 0. */
  private async compareZeros({ after, upTo }: IdRange): Promise<void> {
    const { ledger, rated } = this.parts;
    for (let place: string | undefined = after; place !== undefined; ) {
      const zeros: { id: string; accountId: string }[] = await ledger.zeroCharges({ after: place, upTo }, IDS_AT_ONCE);
      const known = byId(zeros.length > 0 ? await rated.chargesOf(zeros.map(({ id }) => id)) : []);
      for (const { id, accountId } of zeros) {
        const fact = known.get(id);
        if (fact === undefined) this.findings.add(id, 'it is done with a charge of 0, and billing has not rated it');
        else if (fact.ratedNanoUsd > 0n || fact.accountId !== accountId) this.findings.add(id, `it is done with a charge of 0 for account ${accountId}, and billing has ${describe(fact)}`);
      }
      place = zeros.length === IDS_AT_ONCE ? zeros.at(-1)?.id : undefined;
    }
  }

  private async compareEach(range: IdRange): Promise<void> {
    const rated = await this.parts.rated.charges(range);
    await this.settle();
    await this.judge({ rated, posted: await this.parts.ledger.charges(range) });
  }

  private async judge({ rated, posted }: { rated: readonly RatedFact[]; posted: readonly RatedFact[] }): Promise<void> {
    const inLedger = byId(posted);
    const inBilling = byId(rated);
    const missing = rated.filter(({ id }) => !inLedger.has(id));
    for (const part of slices(missing)) {
      const reasons = await this.parts.ledger.deadReasons(part.map(({ id }) => id));
      for (const fact of part) this.findings.add(fact.id, `it is rated, ${describe(fact)}, and not posted${reasons.has(fact.id) ? `: kept in dead_charges, ${reasons.get(fact.id)}` : ''}`);
    }
    const doubted = posted.filter((fact) => !isSame(fact, inBilling.get(fact.id)));
    for (const part of slices(doubted)) {
      const now = byId(await this.parts.rated.chargesOf(part.map(({ id }) => id)));
      for (const fact of part) {
        const known = now.get(fact.id);
        if (known === undefined) this.findings.add(fact.id, `it is posted, ${describe(fact)}, and not rated`);
        else if (!isSame(fact, known)) this.findings.add(fact.id, `it is posted, ${describe(fact)}, and rated, ${describe(known)}`);
      }
    }
  }
}

function byId(facts: readonly RatedFact[]): Map<string, RatedFact> {
  return new Map(facts.map((fact) => [fact.id, fact]));
}

function isSame(one: RatedFact, other: RatedFact | undefined): boolean {
  return one.accountId === other?.accountId && one.ratedNanoUsd === other.ratedNanoUsd && one.chargeNanoUsd === other.chargeNanoUsd;
}

function describe({ accountId, ratedNanoUsd, chargeNanoUsd }: RatedFact): string {
  return `${ratedNanoUsd} with a grant for ${chargeNanoUsd} of account ${accountId}`;
}

function slices(facts: readonly RatedFact[]): RatedFact[][] {
  return Array.from({ length: Math.ceil(facts.length / IDS_AT_ONCE) }, (_, index) => facts.slice(index * IDS_AT_ONCE, (index + 1) * IDS_AT_ONCE));
}
