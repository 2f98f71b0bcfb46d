import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { childCommand, startChild } from '../test/child-process.js';
import { CLOSE, idOf, OPEN, readAll, SpoolFixture } from '../test/spool-fixture.js';

let fixture: SpoolFixture;
beforeEach(() => {
  fixture = new SpoolFixture();
});
afterEach(() => fixture.cleanUp());

interface Facts {
  acknowledged: string[];
  refused: { id: string; code: string }[];
  closedAtOnce: string[];
  acceptingWhileFull: boolean;
  alarms: { kind: string; code?: string }[];
}

async function run(command: string[]): Promise<Facts> {
  const child = startChild(command);
  const { code, errors } = await child.ended;
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  return JSON.parse(child.output()) as Facts;
}

/** The spool as the next start finds it: all that was acknowledged, nothing that was refused. */
async function compare(folder: string, facts: Facts): Promise<void> {
  const spool = await fixture.open(folder);
  const records = await readAll(spool);
  const opened = records.filter((record) => record.type === OPEN).map((record) => record.id);
  expect(opened).toEqual([...facts.acknowledged, idOf(999_999)]);
  expect(records.filter((record) => record.type === CLOSE).map((record) => record.id)).toEqual(facts.closedAtOnce);
  expect(facts.refused.map((refusal) => refusal.code)).toEqual(['failed']);
  expect(opened).not.toContain(facts.refused[0]!.id);
}

const UNSHARE = ['unshare', '--mount', '--map-root-user'];

/** A mount name space of one's own takes root or user name spaces; the file-size limit below runs everywhere. */
function canMount(): boolean {
  return spawnSync(UNSHARE[0]!, [...UNSHARE.slice(1), 'mount', '-t', 'tmpfs', 'tmpfs', tmpdir()]).status === 0;
}

/** Files that cannot pass 200 or 400 KiB, by the shell's unit: writes are cut short, a new segment may begin. */
async function withFileLimit(): Promise<void> {
  const folder = fixture.folder();
  const facts = await run(['/bin/sh', '-c', 'ulimit -f 400 && exec "$@"', 'sh', ...childCommand('./filling-program.mjs', folder)]);
  expect(facts.alarms[0]).toEqual({ kind: 'write_failed', code: 'EFBIG' });
  await compare(folder, facts);
  expect(fixture.alarms).toEqual([]);
}

/** A disk of 1 MiB that is gone with the process; its segments are copied out before. */
async function onFullDisk(): Promise<void> {
  const mount = fixture.folder();
  const kept = fixture.folder();
  const script = [
    'mount -t tmpfs -o size=1m tmpfs "$MOUNT"',
    'head -c 300000 /dev/zero > "$MOUNT/filler"',
    '"$@"',
    'cp "$MOUNT"/spool/*.segment "$KEPT"',
  ].join(' && ');
  const program = childCommand('./filling-program.mjs', join(mount, 'spool'), join(mount, 'filler'));
  const facts = await run([...UNSHARE, 'env', `MOUNT=${mount}`, `KEPT=${kept}`, 'sh', '-c', script, 'sh', ...program]);
  expect(facts.alarms[0]).toEqual({ kind: 'write_failed', code: 'ENOSPC' });
  expect(facts.acceptingWhileFull).toBe(false);
  expect(facts.closedAtOnce.length).toBe(20);
  await compare(kept, facts);
}

const LIMITS = [{ limit: 'a file-size limit', prove: withFileLimit }];
if (canMount()) LIMITS.push({ limit: 'a full disk', prove: onFullDisk });

describe.each(LIMITS)('$limit of the operating system', ({ prove }) => {
  it('refuses one OPEN, still closes running requests, resumes, and loses nothing that was acknowledged', prove, 60_000);
});
