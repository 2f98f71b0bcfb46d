import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { makeTemporaryFolder } from '@tokone/testing';
import type { TemporaryFolder } from '@tokone/testing';
import { runCommandLine } from './command-line.js';
import { describeReport } from './reconcile-command.js';

const ID = '01940000-0000-7000-8000-746f6b6f6e65';
let folder: TemporaryFolder;
let asked: string[];
/** What the API answers next; the last one for ever. */
let answers: { status: number; body: object }[];
const server = createServer((request, response) => {
  let text = '';
  request.on('data', (piece: Buffer) => (text += piece.toString('utf8')));
  request.on('end', () => {
    asked.push(`${request.method} ${text}`.trim());
    const { status, body } = (answers.length > 1 ? answers.shift() : answers[0]) ?? { status: 500, body: {} };
    response.writeHead(status).end(JSON.stringify(body));
  });
});

beforeEach(async () => {
  [asked, answers] = [[], []];
  folder = await makeTemporaryFolder('cli-reconcile');
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  await writeFile(join(folder.path, 'operator.json'), JSON.stringify({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: 't' }));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await folder.remove();
});

async function run(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const world = { dataFolder: folder.path, newId: () => 'made-id', print: (text: string) => (out += `${text}\n`), complain: (text: string) => (err += `${text}\n`) };
  const code = await runCommandLine(['node', 'tokone', 'reconcile', ...words], world);
  return { code, out, err };
}

const CHECK = { name: 'R1', question: 'Do all entries of the ledger sum to 0?', state: 'right', mismatches: 0, subjects: [] as object[], tookMs: 4 };
const report = (state: string, id = ID): object => ({ report: { id, state, full: false, startedAt: '2026-11-25T12:00:00.000Z', tookMs: 12, checks: [{ ...CHECK, state }] }, running: null });
const begun = { status: 202, body: { id: ID } };

describe('reconcile', () => {
  it.each([
    ['right', 0],
    ['wrong', 1],
    ['not_checked', 2],
  ])('that ends %s exits with %i', async (state, code) => {
    answers = [begun, { status: 200, body: { report: null, running: ID } }, { status: 200, body: report('right', 'of a run before') }, { status: 200, body: report(state) }];
    const { code: exit, out, err } = await run('--json');
    expect({ exit, err, state: (JSON.parse(out) as { state: string }).state }).toEqual({ exit: code, err: '', state });
    expect(asked).toEqual(['POST {"full":false}', 'GET', 'GET', 'GET']);
  });

  it('waits for a run of another one to end, and begins its own then', async () => {
    answers = [{ status: 409, body: { error: { code: 'conflict', message: 'A reconciliation is running.' } } }, begun, { status: 200, body: report('right') }];
    expect(await run('--full')).toMatchObject({ code: 0, err: '' });
    expect(asked).toEqual(['POST {"full":true}', 'POST {"full":true}', 'GET']);
  });

  it('exits with 2 when nothing could be checked at all', async () => {
    answers = [{ status: 500, body: { error: { code: 'internal', message: 'TokOne could not do this now.' } } }];
    expect(await run()).toEqual({ code: 2, out: '', err: 'TokOne could not do this now.\n' });
    await writeFile(join(folder.path, 'operator.json'), '{}');
    expect((await run('--json')).code).toBe(2);
  });

  it('says what it does and how it exits', async () => {
    expect((await run('--help')).out).toContain('0 everything is right, 1 mismatches, 2 not everything could be checked');
  });
});

describe('a report as text', () => {
  it('has a line for each check, and what was found below it', () => {
    const checks = [
      { ...CHECK, state: 'wrong', mismatches: 102, subjects: [{ subject: 'a', detail: 'its legs sum to 7' }] },
      { ...CHECK, name: 'R5', state: 'not_checked', reason: 'billing does not answer' },
      { ...CHECK, name: 'R6', state: 'not_applicable' },
    ];
    const lines = describeReport({ id: ID, state: 'wrong', full: true, startedAt: 'then', tookMs: 9, checks } as never).split('\n');
    expect(lines).toEqual([
      'Full reconciliation of then, 9 ms: WRONG',
      'R1  WRONG  Do all entries of the ledger sum to 0?  (4 ms)',
      '    a: its legs sum to 7',
      '    and 101 more',
      'R5  NOT CHECKED  Do all entries of the ledger sum to 0?  (4 ms)',
      '    not checked: billing does not answer',
      'R6  not in this shape  Do all entries of the ledger sum to 0?  (4 ms)',
    ]);
  });
});
