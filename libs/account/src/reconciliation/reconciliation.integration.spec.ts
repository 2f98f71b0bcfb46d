import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { RatedCharge } from '@tokone/events';
import { Uuid7Source } from '@tokone/protocol';
import { waitFor } from '@tokone/testing';
import { startLedgerDatabase } from '../fixtures/ledger-database.js';
import type { LedgerDatabase } from '../fixtures/ledger-database.js';
import { StatedDeployment } from '../fixtures/stated-deployment.js';
import { ChargePosting } from '../posting.js';
import type { CheckName, CheckReport, ReconciliationReport } from './check-report.js';
import type { ReconciliationService } from './reconciliation-service.js';

const HOUR_MS = 3_600_000;
let ledger: LedgerDatabase;
let posting: ChargePosting;
let accountId: string;
let deployment: StatedDeployment;
let service: ReconciliationService;

beforeAll(async () => {
  ledger = await startLedgerDatabase();
  posting = new ChargePosting(ledger.pool, () => undefined);
});
afterAll(() => ledger.stop());
beforeEach(async () => {
  await service?.stop();
  await tamper('TRUNCATE account.entries, account.transfers, account.zero_charges, account.dead_charges, account.reconciled_balances, account.reconciliation; UPDATE account.ledger_accounts SET balance = 0, seq = 0');
  accountId = await ledger.fundedAccount(1_000_000n);
  deployment = new StatedDeployment(ledger);
  service = deployment.service();
});

const tamper = (sql: string): Promise<unknown> => ledger.pool.query(`BEGIN; SET LOCAL session_replication_role = replica; ${sql}; COMMIT`);

/** A charge of a request that began so long ago, rated, and posted unless it is lost. */
async function charged(ageMs: number, { isLost = false } = {}): Promise<RatedCharge> {
  const ids = new Uuid7Source(() => deployment.nowMs - ageMs);
  const charge = { id: ids.next(), accountId, ratedNanoUsd: 5n, chargeNanoUsd: 5n };
  deployment.billing.rate([charge]);
  if (!isLost) await posting.post([charge]);
  return charge;
}

async function run(full = false, by = service): Promise<ReconciliationReport> {
  const id = await by.begin(full);
  return waitFor(async () => {
    const { report, running } = await by.last();
    return running === undefined && report?.id === id ? report : undefined;
  }, { what: 'the report', deadlineMs: 20_000 });
}

const checkOf = ({ checks }: ReconciliationReport, name: CheckName): CheckReport => checks.find((check) => check.name === name) as CheckReport;

describe('a run', () => {
  it('asks all six questions, keeps the report, tells it and logs it', async () => {
    await charged(2 * HOUR_MS);
    const report = await run();
    expect(report).toMatchObject({ state: 'right', full: false, startedAt: '2026-11-23T12:00:00.000Z' });
    expect(report.checks.map(({ name, state }) => `${name} ${state}`)).toEqual(['R1 right', 'R2 right', 'R3 right', 'R4 right', 'R5 right', 'R6 right']);
    expect(deployment.reports).toEqual([report]);
    expect(deployment.lines).toEqual([expect.objectContaining({ level: 'info' })]);
    expect((await deployment.service().last()).report).toEqual(report);
  });

  it('raises the alarm for a mismatch, and for what could not be checked', async () => {
    await charged(2 * HOUR_MS, { isLost: true });
    expect((await run()).state).toBe('wrong');
    deployment.settled = async () => {
      throw new Error('Kafka is away');
    };
    const report = await run();
    expect(checkOf(report, 'R3')).toMatchObject({ state: 'not_checked', reason: 'Kafka is away' });
    expect(deployment.lines.map(({ level, message }) => `${level}: ${message}`)).toEqual(['error: alarm: reconciliation', 'error: alarm: reconciliation']);
    expect(deployment.lines[0]?.fields['checks']).toEqual([expect.objectContaining({ name: 'R3', mismatches: 1 })]);
  });

  it('compares charges a minute, an hour and a day after their requests began, and each time only those', async () => {
    await run();
    // Rated late: an answer of half an hour, and one of half a day.
    deployment.nowMs += 10 * 60_000;
    await charged(30_000, { isLost: true });
    expect(checkOf(await run(), 'R3').state).toBe('right');
    deployment.nowMs += 5 * 60_000;
    expect(checkOf(await run(), 'R3')).toMatchObject({ state: 'wrong', mismatches: 1 });
    for (const ageMs of [30 * 60_000, 12 * HOUR_MS]) {
      await tamper('TRUNCATE account.reconciliation');
      deployment.billing.facts.clear();
      await run();
      const late = await charged(ageMs, { isLost: true });
      expect(checkOf(await run(), 'R3').state).toBe('right');
      deployment.nowMs += ageMs > HOUR_MS ? 14 * HOUR_MS : HOUR_MS;
      expect(checkOf(await run(), 'R3').subjects).toEqual([expect.objectContaining({ subject: late.id })]);
    }
  });

  it('looks again at what it named until it is right', async () => {
    const lost = await charged(2 * HOUR_MS, { isLost: true });
    expect(checkOf(await run(), 'R3').mismatches).toBe(1);
    deployment.nowMs += 72 * HOUR_MS;
    expect(checkOf(await run(), 'R3').mismatches).toBe(1);
    deployment.settled = async () => false;
    expect(checkOf(await run(), 'R3').state).toBe('not_checked');
    deployment.settled = async () => true;
    expect(checkOf(await run(), 'R3').mismatches).toBe(1);
    await posting.post([lost]);
    expect(checkOf(await run(), 'R3').mismatches).toBe(0);
  });

  it('goes on where a part was away, not behind it', async () => {
    await run();
    deployment.nowMs += 10 * 60_000;
    await charged(5 * 60_000, { isLost: true });
    deployment.settled = async () => false;
    expect(checkOf(await run(), 'R3').state).toBe('not_checked');
    deployment.settled = async () => true;
    expect(checkOf(await run(), 'R3').state).toBe('wrong');
  });

  it('that is full looks at everything, however old or young', async () => {
    await run();
    await charged(200 * HOUR_MS, { isLost: true });
    await charged(0, { isLost: true });
    expect(checkOf(await run(), 'R3').mismatches).toBe(0);
    expect(checkOf(await run(true), 'R3').mismatches).toBe(2);
  });
});

describe('runs', () => {
  it('come by themselves, in whatever replica', async () => {
    const replicas = [deployment.service({ intervalMs: 200 }), deployment.service({ intervalMs: 200 })];
    for (const replica of replicas) replica.start();
    await waitFor(() => deployment.reports.length >= 2, { what: 'two reports', deadlineMs: 20_000 });
    await Promise.all(replicas.map((replica) => replica.stop()));
    expect(deployment.reports.map(({ state, full }) => ({ state, full }))).toEqual(deployment.reports.map(() => ({ state: 'right', full: false })));
  });

  it('come not by themselves when another replica has just made one', async () => {
    const ages = [3, 9, 12];
    let begun = 0;
    const last = async () => ({ ageMs: ages.shift() ?? 0 });
    const exclusively = async () => void begun++;
    const replica = deployment.service({ intervalMs: 20, store: { last, exclusively } as never });
    replica.start();
    await waitFor(() => begun > 0, { what: 'a run', deadlineMs: 20_000 });
    expect(ages).toEqual([]);
    await replica.stop();
  });

  it('are one at a time over all replicas', async () => {
    const { promise: settled, resolve: settle } = Promise.withResolvers<boolean>();
    deployment.settled = () => settled;
    await service.begin(true);
    const other = deployment.service();
    for (const asked of [service, other]) await expect(asked.begin(false)).rejects.toMatchObject({ code: 'conflict' });
    settle(true);
    await waitFor(() => deployment.reports.length === 1, { what: 'the report', deadlineMs: 20_000 });
    expect((await run(false, other)).full).toBe(false);
    await other.stop();
  });

  it('end without a report when the service stops, however long a part takes', async () => {
    deployment.settled = () => new Promise(() => undefined);
    await charged(2 * HOUR_MS);
    await service.begin(false);
    await service.stop();
    expect(deployment.reports).toEqual([]);
    expect(deployment.lines).toEqual([]);
    // The lock went with it.
    deployment.settled = async () => true;
    const next = deployment.service();
    expect((await run(false, next)).state).toBe('right');
    await next.stop();
  });

  it('cannot be begun while the database is away, and are begun when it is back', async () => {
    const away = deployment.service({ store: { last: async () => undefined, keep: async () => undefined, exclusively: async () => { throw new Error('away'); } } as never });
    await expect(away.begin(false)).rejects.toThrow('away');
    await expect(away.begin(false)).rejects.toThrow('away');
    await away.stop();
  });
});
