import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { childCommand, startChild } from '../test/child-process.js';
import { eventually, idOf, OPEN, readAll, segmentNames, SpoolFixture } from '../test/spool-fixture.js';

let fixture: SpoolFixture;
beforeEach(() => {
  fixture = new SpoolFixture();
});
afterEach(() => fixture.cleanUp());

const KILLS = 20;

/** Numbers that the program printed behind a letter, in whole lines. */
function acknowledged(output: string, letter: string): number[] {
  const lines = output.slice(0, output.lastIndexOf('\n') + 1).split('\n');
  return lines.filter((line) => line.startsWith(letter)).map((line) => Number(line.slice(2)));
}

describe('kill -9 of a process that appends at full speed', () => {
  it(`loses nothing that was acknowledged, ${KILLS} times on one folder`, async () => {
    const folder = fixture.folder();
    const opened = new Set<string>();
    const closed = new Set<string>();
    for (let kill = 0; kill < KILLS; kill++) {
      const child = startChild(childCommand('./appending-program.mjs', folder, String(kill * 1_000_000)));
      try {
        // A different moment each time, counted in the program's own progress.
        await eventually('progress', () => child.output().length > 200 + kill * 97 || child.process.exitCode !== null);
      } finally {
        child.process.kill('SIGKILL');
      }
      const { signal, errors } = await child.ended;
      expect({ signal, errors }).toEqual({ signal: 'SIGKILL', errors: '' });
      for (const number of acknowledged(child.output(), 'o')) opened.add(idOf(number));
      for (const number of acknowledged(child.output(), 'c')) closed.add(idOf(number));
    }
    const spool = await fixture.open(folder);
    const records = await readAll(spool);
    const openedOnDisk = new Set(records.filter((record) => record.type === OPEN).map((record) => record.id));
    const closedOnDisk = new Set(records.filter((record) => record.type !== OPEN).map((record) => record.id));
    expect(closed.size).toBeGreaterThan(KILLS);
    expect([...opened].filter((id) => !openedOnDisk.has(id))).toEqual([]);
    expect([...closed].filter((id) => !closedOnDisk.has(id))).toEqual([]);
    expect(spool.orphans.map((orphan) => orphan.id).sort()).toEqual([...openedOnDisk].filter((id) => !closedOnDisk.has(id)).sort());
    expect(fixture.alarms).toEqual([]);
    expect(segmentNames(folder).length).toBeGreaterThan(KILLS);
  }, 120_000);
});
