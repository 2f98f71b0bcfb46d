import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { SPOOL_RECORD } from '@tokone/events';
import { Spool } from '@tokone/spool';
import { makeTemporaryFolder } from '@tokone/testing';
import { CursorFile } from './cursor-file.js';
import { eventLogContract } from './event-log.contract.js';
import { usageText } from './fixtures/usage-text.js';
import { SpoolEventLog } from './spool-event-log.js';
import { TalliedEventLog } from './tallied-event-log.js';

let numbers = 0;
const openSpool = (folder: string): Promise<Spool> => Spool.open({ folder, now: () => 0, onAlarm: () => undefined, ballastBytes: 0, segmentBytes: 2_000 });
const logOf = (spool: Spool, cursorPath: string): TalliedEventLog =>
  new TalliedEventLog({ spool, log: new SpoolEventLog(spool, { random: () => 0, onTrouble: () => undefined }), cursorFile: new CursorFile(cursorPath), now: () => 5 });

function write(spool: Spool, raw: string): Promise<void> {
  const id = `00000000-0000-7000-8000-${(++numbers).toString(16).padStart(12, '0')}`;
  spool.append(SPOOL_RECORD.open, id, '{}');
  spool.append(SPOOL_RECORD.close, id, raw);
  return new Promise((resolve, reject) => spool.written({ spooled: (error) => (error ? reject(error) : resolve()) }));
}

async function driver() {
  const folder = await makeTemporaryFolder('tallied-log');
  const [spoolFolder, cursorPath] = [join(folder.path, 'spool'), join(folder.path, 'cursor')];
  let spool = await openSpool(spoolFolder);
  const opened = {
    log: logOf(spool, cursorPath),
    write: (raw: string) => write(spool, raw),
    async restart() {
      await spool.close();
      spool = await openSpool(spoolFolder);
      opened.log = logOf(spool, cursorPath);
    },
    async close() {
      await spool.close();
      await folder.remove();
    },
  };
  return opened;
}

eventLogContract('a spool whose events are counted', driver);

describe('a log whose events are counted', () => {
  it('has counted all of them once over restarts, also those of segments that are gone', async () => {
    const opened = await driver();
    let cursor: bigint | undefined;
    for (let start = 0; start < 3; start++) {
      const consumption = await opened.log.consume({ batchSize: 7, lingerMs: 0, cursor: async () => cursor, handle: async ({ nextOffset }) => void (cursor = nextOffset) });
      for (let event = 0; event < 20; event++) await opened.write(usageText(start * 20 + event));
      await consumption.caughtUp(10_000);
      expect(opened.log.tallied).toEqual({ since: 0, minutes: [{ minute: 0, count: (start + 1) * 20, idXor: expect.any(String) }] });
      await consumption.stop();
      await opened.restart();
    }
    await opened.close();
  });
});
