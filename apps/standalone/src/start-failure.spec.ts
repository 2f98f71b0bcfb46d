import { describe, expect, it } from '@jest/globals';
import { SpoolEventLog } from '@tokone/messaging';
import { StartupError } from '@tokone/persistence';
import { Spool, SpoolError } from '@tokone/spool';
import { makeTemporaryFolder } from '@tokone/testing';
import { explainStartFailure } from './start-failure.js';

const EVENT = '{"an":"event"}';

describe('a start that fails', () => {
  it('says what is not posted yet, and to start again, when billing does not catch up in time', async () => {
    const folder = await makeTemporaryFolder('start-failure');
    const spool = await Spool.open({ folder: folder.path, now: () => Date.now(), onAlarm: () => undefined, ballastBytes: 0 });
    spool.append(4, '01940000-0000-7000-8000-000000000001', EVENT);
    let open = (): void => undefined;
    const door = new Promise<void>((resolve) => (open = resolve));
    const log = new SpoolEventLog(spool, { random: Math.random, onTrouble: () => undefined });
    const consumption = await log.consume({ batchSize: 1, lingerMs: 0, cursor: async () => undefined, handle: () => door });
    const failure = await consumption.caughtUp(50).catch((error: unknown) => explainStartFailure(error, folder.path));
    open();
    await consumption.stop();
    await spool.close();
    await folder.remove();
    expect(failure).toBeInstanceOf(StartupError);
    expect((failure as Error).message).toMatch(/^What was served before is not posted yet: the log was not caught up with within 50 ms\. .*Start again/);
  });

  it('says what the spool says', () => {
    const explained = explainStartFailure(new SpoolError('locked', 'Another process holds it.'), '/data');
    expect(explained).toBeInstanceOf(StartupError);
    expect(explained).toHaveProperty('message', 'Another process holds it.');
  });

  it.each([
    ['a fault of our own', new TypeError('x is not a function')],
    ['a database that refuses connections', Object.assign(new Error('connect EACCES'), { code: 'EACCES', syscall: 'connect' })],
  ])('keeps the stack of %s', (_case, error) => {
    expect(explainStartFailure(error, '/data')).toBe(error);
  });
});
