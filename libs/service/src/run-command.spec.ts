import { describe, expect, it } from '@jest/globals';
import { integer } from '@tokone/http';
import { StartupError } from '@tokone/persistence';
import { runCommand } from './run-command.js';

const SETTINGS = { SIZE: integer('Size of it.', 3, { min: 1, max: 9 }) };

async function run(environment: Record<string, string>, work: (size: number) => Promise<void>, argv: string[] = []): Promise<{ status: number; out: string; err: string }> {
  const written = { out: '', err: '' };
  const own = { argv, environment, now: () => 0, stdout: { write: (text: string) => (written.out += text) }, stderr: { write: (text: string) => (written.err += text) } };
  const status = await runCommand({ name: 'migrate', about: 'Prepares things.', settings: SETTINGS, run: ({ SIZE }) => work(SIZE) }, own);
  return { status, ...written };
}

describe('a command', () => {
  it('does its work with its settings and ends with status 0', async () => {
    const sizes: number[] = [];
    expect(await run({ SIZE: '5' }, async (size) => void sizes.push(size))).toEqual({ status: 0, out: '', err: '' });
    expect(sizes).toEqual([5]);
  });

  it('says what is wrong in a sentence, and ends with status 1', async () => {
    expect(await run({ SIZE: '55' }, async () => undefined)).toMatchObject({ status: 1, err: 'SIZE=55 is not a whole number from 1 to 9.\n' });
    expect(await run({}, () => Promise.reject(new StartupError('Start the database.')))).toMatchObject({ status: 1, err: 'Start the database.\n' });
    expect((await run({}, () => Promise.reject(new Error('odd')))).err).toMatch(/^migrate failed\. Error: odd\n {4}at/);
  });

  it('explains itself', async () => {
    expect(await run({}, () => Promise.reject(new Error('never')), ['--help'])).toEqual({ status: 0, out: 'Prepares things.\n', err: '' });
  });
});
