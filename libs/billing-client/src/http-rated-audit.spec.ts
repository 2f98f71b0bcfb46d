import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { InternalClient } from '@tokone/http';
import { FIRST_ID, LAST_ID } from '@tokone/protocol';
import { HttpRatedAudit } from './http-rated-audit.js';
import { IDS_AT_ONCE, MINUTES_AT_ONCE } from './rated-audit.js';
import { idRangeQuestion, idsQuestion, minutesQuestion, writeAudit, writeChargePage } from './rated-audit-wire.js';

const ID = '019ab1c2-0000-7000-8000-000000000001';
const RANGE = { after: FIRST_ID, upTo: LAST_ID };
const LARGE = 9_007_199_254_740_993n;
let answer: unknown;
let asked: { path: string | undefined; body: unknown }[];
let client: InternalClient;
let audit: HttpRatedAudit;
const server = createServer((request, response) => {
  let text = '';
  request.on('data', (piece: Buffer) => (text += piece.toString('utf8')));
  request.on('end', () => {
    asked.push({ path: request.url, body: JSON.parse(text) });
    response.end(JSON.stringify(answer));
  });
});

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  client = new InternalClient({ baseUrls: [`http://127.0.0.1:${(server.address() as AddressInfo).port}`], secret: 'secret-of-the-services', now: () => performance.now() });
  audit = new HttpRatedAudit(client);
});
afterAll(async () => {
  await client.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});
beforeEach(() => {
  asked = [];
});

describe('what billing tells of its charges over HTTP', () => {
  it('is exact beyond what a JSON number can hold', async () => {
    const page = { last: ID, count: 2, ratedNanoUsd: LARGE * 1_000_000n, chargeNanoUsd: LARGE, fingerprint: '01' };
    answer = writeChargePage(page);
    expect(await audit.chargePage(RANGE)).toEqual(page);
    answer = writeChargePage({ ...page, last: undefined });
    expect((await audit.chargePage(RANGE)).last).toBeUndefined();
    const facts = [{ id: ID, accountId: ID, ratedNanoUsd: LARGE, chargeNanoUsd: 0n }];
    answer = writeAudit({ charges: facts });
    expect([await audit.charges(RANGE), await audit.chargesOf([ID])]).toEqual([facts, facts]);
    const partitions = [{ name: 'c:t/1', nextOffset: LARGE, countedFrom: 0n, countedTo: LARGE, records: LARGE, rated: 1n, dead: 0n }];
    answer = writeAudit({ partitions });
    expect(await audit.partitions()).toEqual(partitions);
    const minutes = [{ minute: 5, count: 1, idXor: '0'.repeat(32) }];
    answer = writeAudit({ minutes });
    expect(await audit.minutes({ from: 5, to: 6 })).toEqual(minutes);
    expect(asked.map(({ path }) => path?.split('/').at(-1))).toEqual(['charge-page', 'charge-page', 'charges', 'charges-of', 'partitions', 'minutes']);
    expect(asked[0]?.body).toEqual(RANGE);
  });

  it('is nothing when it cannot be read', async () => {
    answer = { page: { count: 'two' } };
    await expect(audit.chargePage(RANGE)).rejects.toMatchObject({ failure: 'unreadable' });
  });
});

describe('questions to billing', () => {
  it('are bounded', () => {
    expect(idRangeQuestion.parse(RANGE)).toEqual(RANGE);
    expect(() => idRangeQuestion.parse({ after: 'x', upTo: LAST_ID })).toThrow();
    const ids = Array.from({ length: IDS_AT_ONCE }, () => ID);
    expect(idsQuestion.parse({ ids }).ids).toHaveLength(IDS_AT_ONCE);
    expect(() => idsQuestion.parse({ ids: [...ids, ID] })).toThrow();
    expect(minutesQuestion.parse({ from: 5, to: 5 + MINUTES_AT_ONCE })).toEqual({ from: 5, to: 5 + MINUTES_AT_ONCE });
    expect(() => minutesQuestion.parse({ from: 5, to: 6 + MINUTES_AT_ONCE })).toThrow();
  });
});
