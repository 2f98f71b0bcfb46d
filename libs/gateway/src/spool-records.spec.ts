import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readRecordReport } from '@tokone/account-client';
import { SPOOL_RECORD } from '@tokone/events';
import { InternalClient } from '@tokone/http';
import { OpenedParts, ServiceListeners, internalModule } from '@tokone/service';
import { Spool } from '@tokone/spool';
import { silentLogger } from '@tokone/telemetry';
import { makeTemporaryFolder } from '@tokone/testing';
import type { TemporaryFolder } from '@tokone/testing';
import { recordsInternal } from './records.controller.js';
import { SpoolRecords } from './spool-records.js';
import type { SpoolRecordsParts } from './spool-records.js';

const SECRET = 'secret-between-the-services-of-a-spec';
const TALLY = { since: 7, minutes: [{ minute: 3, count: 2, idXor: 'f'.repeat(32) }] };
const idOf = (number: number): string => `00000000-0000-7000-8000-${number.toString(16).padStart(12, '0')}`;
let folder: TemporaryFolder;
let spool: Spool;
let parts: OpenedParts;
let alive: Set<string>;
let log: SpoolRecordsParts['log'];
let client: InternalClient;

beforeEach(async () => {
  folder = await makeTemporaryFolder('spool-records');
  spool = await Spool.open({ folder: folder.path, now: () => 0, onAlarm: () => undefined, ballastBytes: 0, segmentBytes: 65_536 });
  [alive, log] = [new Set(), { caughtUp: async () => undefined, tallied: TALLY }];
  parts = new OpenedParts(silentLogger, new AbortController().signal);
  const records = new SpoolRecords({ spool, running: { ids: () => alive }, log: { caughtUp: (deadlineMs) => log.caughtUp(deadlineMs), get tallied() { return log.tallied; } } });
  const module = internalModule({ secret: SECRET, logger: silentLogger, ...recordsInternal(records) });
  const { url } = await new ServiceListeners(parts).open({ name: 'internal listener', address: { host: '127.0.0.1', port: 0 }, modules: [module] });
  client = parts.add('client', new InternalClient({ baseUrls: [url], secret: SECRET, now: () => performance.now() }), (opened) => opened.close());
});
afterEach(async () => {
  await parts.close();
  await spool.close();
  await folder.remove();
});

const ask = (waitMs: number | string = 2_000) => client.call({ method: 'GET', path: `/internal/gateway/records?waitMs=${waitMs}`, deadlineMs: 5_000, read: readRecordReport });

describe('what a gateway recorded', () => {
  it('is told by the minute, under the id of its spool', async () => {
    expect(await ask()).toEqual({ gatewayId: spool.id, sinceMs: 7, minutes: TALLY.minutes, lost: [] });
  });

  it('names the requests that are open and do not run; not those that run, ended, or were taken back', async () => {
    for (const number of [1, 2, 3, 4]) spool.append(SPOOL_RECORD.open, idOf(number), '{}');
    spool.append(SPOOL_RECORD.close, idOf(2), '{}');
    spool.takeBack(idOf(3));
    alive.add(idOf(4));
    expect((await ask()).lost).toEqual([idOf(1)]);
  });

  it('is taken when everything is handed on, or not told', async () => {
    const waits: number[] = [];
    log = { ...log, caughtUp: async (deadlineMs) => void waits.push(deadlineMs) };
    await ask(1_500);
    expect(waits).toEqual([1_500]);
    log = { ...log, caughtUp: () => Promise.reject(new Error('late')) };
    await expect(ask()).rejects.toMatchObject({ failure: 'refused', status: 503 });
    log = { caughtUp: async () => undefined, tallied: undefined };
    await expect(ask()).rejects.toMatchObject({ failure: 'refused', status: 503 });
    await expect(ask('long')).rejects.toMatchObject({ failure: 'refused', status: 400 });
  });
});
