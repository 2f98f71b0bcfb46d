import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chooseFreePorts, makeTemporaryFolder } from '@tokone/testing';
import type { TemporaryFolder } from '@tokone/testing';
import { runCommandLine } from './command-line.js';

const ID = '01940000-0000-7000-8000-746f6b6f6e65';
let folder: TemporaryFolder;
let seen: { method: string; url: string; body: unknown }[] = [];
/** Undefined: the connection is destroyed without an answer. */
let answer: { status: number; body: string } | undefined;
const server = createServer((request, response) => {
  let text = '';
  request.on('data', (piece: Buffer) => (text += piece.toString('utf8')));
  request.on('end', () => {
    seen.push({ method: String(request.method), url: String(request.url), body: text === '' ? undefined : JSON.parse(text) });
    if (answer === undefined) request.socket.destroy();
    else response.writeHead(answer.status).end(answer.body);
  });
});

beforeEach(async () => {
  [seen, answer] = [[], { status: 200, body: '{"id":"x"}' }];
  folder = await makeTemporaryFolder('cli');
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
  const code = await runCommandLine(['node', 'tokone', ...words], world);
  return { code, out, err };
}

describe('the command line', () => {
  it.each([
    [['account', 'create', '--name', 'a b'], { method: 'POST', url: '/api/v1/accounts', body: { name: 'a b' } }],
    [['account', 'list', '--after', ID], { method: 'GET', url: `/api/v1/accounts?after=${ID}` }],
    [['account', 'show', ID], { method: 'GET', url: `/api/v1/accounts/${ID}` }],
    [['account', 'top-up', ID, '5', '--memo', 'why'], { method: 'POST', url: `/api/v1/accounts/${ID}/top-ups`, body: { amount: '5', memo: 'why', id: 'made-id' } }],
    [['account', 'top-up', ID, '5', '--id', ID], { method: 'POST', url: `/api/v1/accounts/${ID}/top-ups`, body: { amount: '5', id: ID } }],
    [['key', 'create', '--account', ID, '--group', 'openai', '--json'], { method: 'POST', url: '/api/v1/keys', body: { account: ID, group: 'openai' } }],
    [['key', 'create', '--account', ID, '--group', 'openai', '--user', ID], { method: 'POST', url: '/api/v1/keys', body: { account: ID, group: 'openai', user: ID } }],
    [['user', 'create', '--account', ID, '--name', 'Ada'], { method: 'POST', url: '/api/v1/users', body: { account: ID, name: 'Ada' } }],
    [['user', 'list', '--account', ID, '--json'], { method: 'GET', url: `/api/v1/users?account=${ID}` }],
    [['limit', 'show', '--user', ID], { method: 'GET', url: `/api/v1/limits?user=${ID}` }],
    [['limit', 'set', '--key', ID, '--requests', '60', '--tokens', '100000', '--concurrent', '5', '--json'], { method: 'PUT', url: `/api/v1/limits?key=${ID}`, body: { requestsPerMinute: 60, tokensPerMinute: 100_000, concurrentRequests: 5 } }],
    [['limit', 'set', '--account', ID, '--group', 'a b'], { method: 'PUT', url: `/api/v1/limits?account=${ID}&group=a+b`, body: {} }],
    [['limit', 'clear', '--group', 'openai'], { method: 'DELETE', url: '/api/v1/limits?group=openai' }],
    [['key', 'list', '--account', ID], { method: 'GET', url: `/api/v1/keys?account=${ID}` }],
    [['key', 'disable', ID], { method: 'POST', url: `/api/v1/keys/${ID}/disable`, body: {} }],
    [['--json', 'group', 'list'], { method: 'GET', url: '/api/v1/groups' }],
    [['charge', 'show', ID], { method: 'GET', url: `/api/v1/charges/${ID}` }],
    [['charge', 'waive', ID, '--why', 'a defect', '--json'], { method: 'POST', url: `/api/v1/charges/${ID}/waive`, body: { why: 'a defect' } }],
  ])('sends %j as one request', async (words, request) => {
    if (words[0] === 'charge') answer = { status: 200, body: JSON.stringify({ id: ID, usage: null, transfer: null }) };
    expect(await run(...words)).toMatchObject({ code: 0, err: '' });
    expect(seen).toEqual([{ body: undefined, ...request }]);
  });

  it.each([['account', 'list'], ['account', 'top-up', ID], ['account', 'top-up', ID, '-5'], ['account', 'show', 'demo'], ['nonsense'], ['account', 'create', '--nme', 'x']])(
    'with --json keeps standard output for JSON, whatever goes wrong: %s %s %s %s',
    async (...words) => {
      answer = { status: 500, body: 'no JSON' };
      const { code, out, err } = await run(...words, '--json');
      expect({ failed: code > 0, out }).toEqual({ failed: true, out: '' });
      expect(JSON.parse(err)).toEqual({ error: { message: expect.any(String) } });
    },
  );

  it.each([
    [['limit', 'show'], 'Say whose limits'],
    [['limit', 'set', '--key', ID], 'at least one of --requests'],
    [['limit', 'set', '--key', ID, '--requests', '0'], '"0" is not a limit'],
    [['limit', 'set', '--key', ID, '--tokens', '1.5'], '"1.5" is not a limit'],
  ])('asks nobody for limits that it does not understand: %j', async (words, sentence) => {
    expect(await run(...words)).toMatchObject({ code: 2, out: '', err: expect.stringContaining(sentence) });
    expect(seen).toEqual([]);
  });

  it('asks nobody when it does not understand', async () => {
    expect(await run('account', 'top-up', ID, 'ten')).toMatchObject({ code: 2, out: '', err: expect.stringContaining('"ten" is not an amount') });
    expect(seen).toEqual([]);
  });

  it('says how to repeat a top-up whose answer is lost, so that it is added once', async () => {
    answer = undefined;
    const { code, err } = await run('account', 'top-up', ID, '5');
    expect(code).toBe(1);
    expect(err).toContain('not known whether this was done');
    expect(err).toContain('--id made-id');
  });

  it('says that another program listens where its TokOne was', async () => {
    answer = { status: 401, body: '{"error":{"message":"who are you"}}' };
    expect((await run('account', 'list')).err).toContain('is not the TokOne of this data folder');
    answer = { status: 200, body: '<html>' };
    expect((await run('account', 'list')).err).toContain('does not answer as TokOne does');
  });

  it('goes on to another address of the note when one refuses the connection, and to none when a request was sent', async () => {
    const { port } = server.address() as AddressInfo;
    const note = (...urls: string[]) => writeFile(join(folder.path, 'operator.json'), JSON.stringify({ url: urls[0], otherUrls: urls.slice(1), token: 't' }));
    const [one = 0, two = 0] = await chooseFreePorts(2);
    await note(`http://127.0.0.1:${one}`, `http://127.0.0.1:${port}`);
    expect(await run('account', 'top-up', ID, '5')).toMatchObject({ code: 0, err: '' });
    answer = undefined;
    await note(`http://127.0.0.1:${port}`, `http://127.0.0.1:${port}`);
    expect((await run('account', 'top-up', ID, '5')).err).toContain('not known whether this was done');
    expect(seen).toHaveLength(2);
    await note(`http://127.0.0.1:${one}`, `http://127.0.0.1:${two}`);
    expect((await run('account', 'list')).err).toContain(`TokOne does not answer at http://127.0.0.1:${one} or http://127.0.0.1:${two}.`);
  });

  it('repeats the sentence of a refusal', async () => {
    answer = { status: 404, body: '{"error":{"message":"There is no account."}}' };
    expect(await run('account', 'show', ID)).toEqual({ code: 1, out: '', err: 'There is no account.\n' });
  });

  it.each<[string, typeof answer]>([
    ['gives no answer', undefined],
    ['fails, which it may have done behind the commit', { status: 500, body: JSON.stringify({ error: { code: 'internal_error', message: 'TokOne could not do this now.' } }) }],
  ])('says how a top-up is repeated when TokOne %s', async (_title, given) => {
    answer = given;
    const { code, err } = await run('account', 'top-up', ID, '5');
    expect([code, err]).toEqual([1, expect.stringContaining('Repeat it with --id made-id')]);
  });
});
