import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { silentLogger } from '@tokone/telemetry';
import { makeTemporaryFolder } from '@tokone/testing';
import type { TemporaryFolder } from '@tokone/testing';
import { takeSpool } from './gateway-spool.js';

let folder: TemporaryFolder;
beforeEach(async () => {
  folder = await makeTemporaryFolder('gateway-spool');
});
afterEach(() => folder.remove());

const settings = () => ({ TOKONE_SPOOL_DIR: folder.path, TOKONE_SPOOL_STRICT: 'no' as const, TOKONE_SPOOL_LIMIT_BYTES: 1_000_000 });
const world = (stop = new AbortController().signal) => ({ logger: silentLogger, now: () => 1_767_225_600_000, stop });

describe('the spool of a gateway', () => {
  it('is waited for while another gateway that stops still holds it', async () => {
    const first = await takeSpool(settings(), world());
    const waiting = takeSpool(settings(), world());
    await new Promise((resolve) => setImmediate(resolve));
    await first.close();
    await (await waiting).close();
  });

  it('is not waited for by a gateway that is asked to stop', async () => {
    const first = await takeSpool(settings(), world());
    const asked = new AbortController();
    const waiting = takeSpool(settings(), world(asked.signal));
    asked.abort(new Error('asked to stop'));
    await expect(waiting).rejects.toThrow('asked to stop');
    await first.close();
  });
});
