import { spawn } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import { awaitNoLeftovers, leftoverProcesses, listProcesses } from './leftovers.mjs';

const known = { pid: 10, parent: 1, command: 'node /repo/apps/standalone', environment: '' };
const run = { before: [known], root: '/repo', folder: '/tmp/tokone-test-a' };

describe('leftoverProcesses', () => {
  it.each([
    ['ignores what ran before', known, 0],
    ['names a database in the folder of the run', { pid: 11, parent: 5, command: 'postgres -D /tmp/tokone-test-a/data', environment: undefined }, 1],
    ['names a process that inherited the folder', { pid: 11, parent: 5, command: 'sleep 9', environment: 'A=1\0TMPDIR=/tmp/tokone-test-a\0' }, 1],
    ['names a new orphan of the repository', { pid: 11, parent: 1, command: 'node /repo/apps/simulator', environment: '' }, 1],
    ['ignores what somebody else runs beside the tests', { pid: 11, parent: 5, command: 'node /repo/apps/simulator', environment: '' }, 0],
    ['ignores other programs', { pid: 11, parent: 1, command: 'sshd', environment: '' }, 0],
  ])('%s', (_title, process, count) => {
    expect(leftoverProcesses({ ...run, now: [process] })).toHaveLength(count);
  });
});

describe('awaitNoLeftovers', () => {
  it('waits for a process that is on its way out and names one that stays', async () => {
    const folder = `/tmp/tokone-test-${process.pid}-leftovers`;
    const before = listProcesses();
    const child = spawn('sleep', ['60'], { env: { TMPDIR: folder }, stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    try {
      const left = await awaitNoLeftovers({ before, root: '/nowhere', folder, deadlineMs: 50 });
      expect(left.map(({ pid }) => pid)).toEqual([child.pid]);
      setTimeout(() => child.kill(), 100);
      expect(await awaitNoLeftovers({ before, root: '/nowhere', folder, deadlineMs: 10_000 })).toEqual([]);
    } finally {
      child.kill('SIGKILL');
      await ended;
    }
  });
});
