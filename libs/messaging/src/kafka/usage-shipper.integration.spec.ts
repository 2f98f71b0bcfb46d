import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SPOOL_RECORD, partitionOf } from '@tokone/events';
import { Spool } from '@tokone/spool';
import { silentLogger } from '@tokone/telemetry';
import { RecordedSpans } from '@tokone/telemetry/recorded-spans';
import { makeTemporaryFolder, testServers, waitFor, type TemporaryFolder } from '@tokone/testing';
import { usageText } from '../fixtures/usage-text.js';
import { CarefulProducer } from './careful-producer.js';
import { deployTo, readTopic, watchTroubles, type StoredMessage } from './fixtures/test-kafka.js';
import { KafkaConnection } from './kafka-connection.js';
import { UsageShipper } from './usage-shipper.js';
import type { UsageShipperOptions } from './usage-shipper.js';

const DEADLINE_MS = 20_000;

let folder: TemporaryFolder;
let connection: KafkaConnection;
let remove: () => Promise<void>;
let spool: Spool;
let running: UsageShipper | undefined;
beforeEach(async () => {
  folder = await makeTemporaryFolder('shipper');
  ({ connection, remove } = await deployTo(await testServers().kafka()));
  spool = await openSpool();
});
afterEach(async () => {
  await running?.stop();
  running = undefined;
  await spool.close();
  await folder.remove();
  await remove();
});

const openSpool = (): Promise<Spool> =>
  Spool.open({ folder: join(folder.path, 'spool'), now: () => 0, onAlarm: () => undefined, ballastBytes: 0, segmentBytes: 20_000 });

async function ship(watch: Pick<UsageShipperOptions, 'random' | 'onTrouble' | 'tracing'> = watchTroubles(), over = connection): Promise<UsageShipper> {
  const producer = new CarefulProducer(over, { sendDeadlineMs: 3_000 });
  running = await UsageShipper.start({ spool, connection: over, producer, cursorPath: join(folder.path, 'cursor'), now: () => 0, batchSize: 7, ...watch });
  return running;
}

/** Of five accounts in turn, CLOSE and REFUSED. */
function write(numbers: readonly number[]): Promise<void> {
  for (const number of numbers) spool.append(number % 3 === 0 ? SPOOL_RECORD.refused : SPOOL_RECORD.close, idOf(number), usageText(number, accountOf(number)));
  return new Promise((resolve, reject) => spool.written({ spooled: (error) => (error ? reject(error) : resolve()) }));
}

const idOf = (number: number): string => `00000000-0000-7000-8000-01${number.toString(16).padStart(10, '0')}`;
const accountOf = (number: number): string => `00000000-0000-7000-8000-0000000000${10 + (number % 5)}`;
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);
const stored = (): Promise<StoredMessage[]> => readTopic(connection, 'usage.recorded');
const numberOf = ({ value }: StoredMessage): number => (JSON.parse(value) as { startedAtMs: number }).startedAtMs;

describe('UsageShipper', () => {
  it('brings every event to the partition of its account, in order, as it stands in the spool', async () => {
    const shipper = await ship();
    await write(range(0, 50));
    await shipper.caughtUp(DEADLINE_MS);
    const messages = await stored();
    expect(messages.map(numberOf).sort((a, b) => a - b)).toEqual(range(0, 50));
    for (const message of messages) {
      const number = numberOf(message);
      expect(message).toMatchObject({ key: accountOf(number), partition: partitionOf(accountOf(number)), value: usageText(number, accountOf(number)) });
    }
    for (const account of range(0, 5).map(accountOf)) {
      const ofAccount = messages.filter(({ key }) => key === account).map(numberOf);
      expect(ofAccount).toEqual([...ofAccount].sort((a, b) => a - b));
    }
  });

  it('records the way of those requests that are recorded, and sends them as they are', async () => {
    const tracing = new RecordedSpans();
    const shipper = await ship({ ...watchTroubles(), tracing });
    const traceparent = '00-019ab1c2000070008000000000000001-8000000000000001-01';
    const text = (number: number): string => usageText(number, accountOf(number)).replace('"traceparent":null', number === 1 ? `"traceparent":"${traceparent}"` : `"traceparent":"${traceparent.replace(/01$/, '00')}"`);
    for (const number of range(0, 3)) spool.append(SPOOL_RECORD.close, idOf(number), text(number));
    await new Promise<void>((resolve, reject) => spool.written({ spooled: (error) => (error ? reject(error) : resolve()) }));
    await shipper.caughtUp(DEADLINE_MS);
    expect((await stored()).map(({ value }) => value).sort()).toEqual(range(0, 3).map(text).sort());
    expect(tracing.spans).toEqual([expect.objectContaining({ name: 'send usage.recorded', kind: 'producer', parent: traceparent, failure: undefined, ends: 1 })]);
  });

  it('goes on after a restart behind what Kafka has', async () => {
    await write(range(0, 20));
    const first = await ship();
    await first.caughtUp(DEADLINE_MS);
    await first.stop();
    await write(range(20, 30));
    await spool.close();
    spool = await openSpool();
    await (await ship()).caughtUp(DEADLINE_MS);
    expect((await stored()).map(numberOf).sort((a, b) => a - b)).toEqual(range(0, 30));
    expect(running?.tallied).toEqual({ since: 0, minutes: [{ minute: 0, count: 30, idXor: expect.any(String) }] });
  });

  it.each([
    ['is gone', ''],
    ['is of another spool', '{"logId":"another","position":"999999"}'],
  ])('ships again what the spool still has when its cursor %s', async (_title, text) => {
    await write(range(0, 5));
    const first = await ship();
    await first.caughtUp(DEADLINE_MS);
    await first.stop();
    await writeFile(join(folder.path, 'cursor'), text);
    await (await ship()).caughtUp(DEADLINE_MS);
    expect([...new Set((await stored()).map(numberOf))].sort((a, b) => a - b)).toEqual(range(0, 5));
  });

  it('ships what nobody can read as it is, to partition 0, between its neighbours', async () => {
    const account = range(0, 100).map((number) => `00000000-0000-7000-8000-0000000001${number}`).find((id) => partitionOf(id) === 0)!;
    spool.append(SPOOL_RECORD.close, idOf(1), usageText(1, account));
    spool.append(SPOOL_RECORD.close, idOf(2), '{"schema":9,"torn');
    spool.append(SPOOL_RECORD.close, idOf(3), usageText(3, account));
    await (await ship()).caughtUp(DEADLINE_MS);
    const messages = await stored();
    expect(messages.map(({ partition }) => partition)).toEqual([0, 0, 0]);
    expect(messages[1]).toMatchObject({ key: null, value: '{"schema":9,"torn', headers: {} });
  });

  it('keeps everything in the spool while Kafka is away, tells so, and how old the oldest is', async () => {
    const nowhere = new KafkaConnection({ brokers: ['127.0.0.1:1'], clientId: 'test', topicPrefix: '', logger: silentLogger, now: () => 0 });
    const watch = watchTroubles();
    await write([4_711]);
    const before = spool.totalBytes;
    const shipper = await ship(watch, nowhere);
    await waitFor(() => watch.troubles.length > 0, { what: 'the trouble', deadlineMs: DEADLINE_MS });
    expect(watch.troubles[0]).toMatchObject({ doing: 'handle' });
    expect(shipper.oldestUnshippedMs).toBe(4_711);
    await expect(shipper.caughtUp(50)).rejects.toMatchObject({ name: 'CatchUpError' });
    await shipper.stop();
    expect(spool.totalBytes).toBe(before);
    await (await ship()).caughtUp(DEADLINE_MS);
    expect((await stored()).map(numberOf)).toEqual([4_711]);
    expect(running!.oldestUnshippedMs).toBeUndefined();
  });
});
