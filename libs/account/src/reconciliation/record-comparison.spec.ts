import { beforeEach, describe, expect, it } from '@jest/globals';
import type { GatewayRecordReport } from '@tokone/account-client';
import type { MinuteRange, RatedAudit, RecordedMinute } from '@tokone/billing-client';
import { Findings } from './check-report.js';
import { checkRecords } from './record-comparison.js';
import type { RecordScope } from './record-comparison.js';

const MINUTE = 29_400_000;
const ONE = '019ab1c2-0000-7000-8000-000000000001';
let gateways: GatewayRecordReport[];
let billing: Map<number, RecordedMinute>;
let looks: number;
let asked: MinuteRange[];
/** Before each look at the gateways. */
let beforeReports: () => void;
let rating: () => Promise<boolean>;

const minute = (at: number, count: number, idXor: string): RecordedMinute => ({ minute: at, count, idXor: idXor.replaceAll('-', '').padStart(32, '0') });
const gateway = (gatewayId: string, minutes: RecordedMinute[], more: Partial<GatewayRecordReport> = {}): GatewayRecordReport => ({ gatewayId, sinceMs: 0, minutes, lost: [], ...more });

beforeEach(() => {
  gateways = [gateway('a', [minute(MINUTE, 2, 'f0'), minute(MINUTE + 1, 1, '0f')])];
  billing = new Map([[MINUTE, minute(MINUTE, 2, 'f0')], [MINUTE + 1, minute(MINUTE + 1, 1, '0f')]]);
  [looks, asked, beforeReports, rating] = [0, [], () => undefined, async () => true];
});

async function check(scope: RecordScope = { gatewayIds: [], comparableFrom: 0 }, from = MINUTE): Promise<{ found: string[]; scope: RecordScope }> {
  const findings = new Findings();
  const reports = async (): Promise<GatewayRecordReport[]> => {
    looks++;
    beforeReports();
    return structuredClone(gateways);
  };
  const minutes = async (range: MinuteRange): Promise<RecordedMinute[]> => {
    asked.push(range);
    return [...billing.values()].filter((each) => each.minute >= range.from && each.minute < range.to);
  };
  const parts = { gateways: { reports }, rated: { minutes } as unknown as RatedAudit, rating: () => rating() };
  const left = await checkRecords(parts, findings, { ranges: [{ from, to: MINUTE + 2 }], minute: MINUTE + 1, scope });
  return { found: findings.subjects.map(({ subject, detail }) => `${subject}: ${detail}`), scope: left };
}

describe('what gateways recorded and what billing has', () => {
  it('is equal, also when several gateways recorded it', async () => {
    gateways = [gateway('a', [minute(MINUTE, 1, 'ff'), minute(MINUTE + 1, 1, '0f')]), gateway('b', [minute(MINUTE, 1, '0f')])];
    expect(await check()).toEqual({ found: [], scope: { gatewayIds: ['a', 'b'], comparableFrom: 0 } });
  });

  it('differs by a request that billing has not: it is named', async () => {
    billing.set(MINUTE, minute(MINUTE, 1, `${(0xf0n ^ BigInt(`0x${ONE.replaceAll('-', '')}`)).toString(16)}`));
    expect((await check()).found).toEqual([expect.stringMatching(new RegExp(`^minute 20.*Z: gateways recorded 2 requests, billing has 1, 1 that billing has not: ${ONE}$`))]);
  });

  it('differs by more that billing has, and by others of the same number', async () => {
    billing.set(MINUTE, minute(MINUTE, 5, 'f0'));
    billing.set(MINUTE + 1, minute(MINUTE + 1, 1, '0e'));
    expect((await check()).found).toEqual([expect.stringContaining('billing has 5, 3 more than a gateway recorded'), expect.stringContaining('billing has 1, not the same ones')]);
  });

  it('is looked at again while a minute moves, and left when it goes on moving', async () => {
    billing.clear();
    let count = 0;
    beforeReports = () => (gateways = [gateway('a', [minute(MINUTE, ++count, 'f0'), minute(MINUTE + 1, count, 'f0')])]);
    expect((await check()).found).toEqual([]);
    expect(looks).toBe(4);
  });

  it('is compared from where all that it is of was counted', async () => {
    billing.clear();
    gateways = gateways.map((each) => ({ ...each, sinceMs: (MINUTE + 1) * 60_000 - 59_000 }));
    expect((await check()).found).toEqual([expect.stringContaining('billing has 0')]);
  });

  it('is not compared before a gateway went that was there at the run before', async () => {
    billing.clear();
    const { found, scope } = await check({ gatewayIds: ['gone', 'a'], comparableFrom: 0 });
    expect({ found, scope }).toEqual({ found: [], scope: { gatewayIds: ['a'], comparableFrom: MINUTE + 2 } });
    expect((await check(scope)).found).toEqual([]);
  });

  it('asks billing for a bounded number of minutes at once', async () => {
    await check(undefined, MINUTE - 30);
    expect(asked.map(({ from, to }) => to - from)).toEqual([15, 15, 2]);
  });

  it('is not checked when billing does not keep up, or a gateway is silent', async () => {
    rating = async () => false;
    await expect(check()).rejects.toThrow('billing has not handled within 30 s');
    beforeReports = () => {
      throw new Error('gateway a has been silent for 40 s');
    };
    await expect(check()).rejects.toThrow('silent for 40 s');
  });

  it('has an end for every OPEN: one that neither runs nor ends is lost, one that begins is not', async () => {
    let look = 0;
    beforeReports = () => (gateways = [gateway('a', [...billing.values()], { lost: look++ === 0 ? [ONE, 'begins'] : [ONE, 'another'] })]);
    expect((await check()).found).toEqual([`${ONE}: its OPEN has neither a CLOSE nor was it taken back, and it does not run`]);
  });
});
