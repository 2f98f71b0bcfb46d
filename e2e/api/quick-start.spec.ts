import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WORKSPACE, makeTemporaryFolder, readTruth, startProduct } from '@tokone/testing';
import type { Product } from '@tokone/testing';
import type { TemporaryFolder } from '@tokone/testing';
import { callWire, keyHeader, moneyFaults } from '../fixtures/deployment.js';
import type { Group } from '../fixtures/deployment.js';

const run = promisify(execFile);
const DOCUMENT = readFileSync(join(WORKSPACE, 'docs/quick-start.md'), 'utf8');
const SNIPPETS = [...DOCUMENT.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language = '', code = '']) => ({ language, code }));
const PYTHON = spawnSync('python3', ['--version']).status === 0;
const INSTALL_TIMEOUT_MS = 300_000;

let product: Product;
let folder: TemporaryFolder;

beforeAll(async () => {
  product = await startProduct();
  folder = await makeTemporaryFolder('quick-start');
  await symlink(product.dataFolder, join(folder.path, '.tokone'));
});

afterAll(async () => {
  try {
    if (product) expect(await moneyFaults(product, await readTruth(product.addresses.simulatorUrl))).toEqual([]);
  } finally {
    await product?.stop();
    await folder?.remove();
  }
});

function snippet(language: string, ...texts: string[]): string {
  const found = SNIPPETS.filter(({ language: its, code }) => its === language && texts.every((text) => code.includes(text)));
  if (found.length !== 1 || !found[0]) throw new Error(`docs/quick-start.md has ${found.length} ${language} snippets with ${texts.join(' and ')}`);
  return found[0].code;
}

/** What a reader does with a snippet: their own base URL, and their own key where the text has a placeholder. */
function filledIn(code: string, group: Group): string {
  return code.replaceAll('https://api.tokone.ai', product.addresses.baseUrl).replaceAll('sk-...', product.addresses.keys[group]);
}

/** A snippet through a shell of its own; standard output. */
async function bash(code: string, group: Group = 'openai'): Promise<string> {
  const env = { PATH: process.env['PATH'], TOKONE_API_KEY: product.addresses.keys[group] };
  const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', filledIn(code, group)], { cwd: folder.path, env, timeout: 60_000 });
  return stdout;
}

/** What the reader of section 3 does to another snippet, and `-i` to see the head. */
function streamed(code: string): string {
  return code.replace("-d '{", '-d \'{\n    "stream": true,').replace('curl ', 'curl -i ');
}

/** The head and the data lines of a stream that `curl -i` printed. */
function readStream(printed: string): { head: string; lines: string[] } {
  const [head = '', body = ''] = printed.split('\r\n\r\n', 2);
  return { head: head.toLowerCase(), lines: body.split('\n').filter((line) => line !== '') };
}

const OPENAI = () => snippet('bash', '/v1/chat/completions', 'Reply with OK');
const ANTHROPIC = () => snippet('bash', '/v1/messages');
const GEMINI = () => snippet('bash', ':generateContent');

describe('the first calls of the quick start', () => {
  it('are these snippets, and no other stands in the document', () => {
    expect(SNIPPETS.map(({ language }) => language)).toEqual(['bash', 'bash', 'python', 'js', 'bash', 'bash', 'bash']);
  });

  it('find base URL and keys in quickstart.env after npm start', async () => {
    const { baseUrl, keys } = product.addresses;
    const shown = await bash(`${snippet('bash', 'quickstart.env')}echo "$TOKONE_API_KEY"`);
    expect(shown).toBe(`${baseUrl}\n${keys.openai}\n`);
  });

  it('answer OK with curl, OpenAI-compatible', async () => {
    expect(JSON.parse(await bash(OPENAI()))).toMatchObject({ object: 'chat.completion', choices: [{ message: { role: 'assistant', content: 'OK' } }] });
  });

  it('answer OK with curl, Anthropic-compatible', async () => {
    expect(JSON.parse(await bash(ANTHROPIC(), 'anthropic'))).toMatchObject({ type: 'message', content: [{ type: 'text', text: 'OK' }] });
  });

  it('answer OK with curl, Gemini-compatible', async () => {
    expect(JSON.parse(await bash(GEMINI(), 'gemini'))).toMatchObject({ candidates: [{ content: { parts: [{ text: 'OK' }] } }] });
  });

  it('answer OK in Node.js', async () => {
    await mkdir(join(folder.path, 'node_modules'));
    await symlink(join(WORKSPACE, 'node_modules/openai'), join(folder.path, 'node_modules/openai'));
    await writeFile(join(folder.path, 'quick-start.mjs'), filledIn(snippet('js', 'import OpenAI'), 'openai'));
    const env = { PATH: process.env['PATH'], TOKONE_API_KEY: product.addresses.keys.openai };
    const { stdout } = await run(process.execPath, ['quick-start.mjs'], { cwd: folder.path, env, timeout: 60_000 });
    expect(stdout).toBe('OK\n');
  });

  const title = PYTHON ? 'answer OK in Python, with the openai package of today' : 'cannot be run in Python here, because this machine has no python3';
  it(title, async () => {
    if (!PYTHON) return expect(spawnSync('python3', ['--version']).error).toMatchObject({ code: 'ENOENT' });
    const python = await installOpenai();
    await writeFile(join(folder.path, 'quick_start.py'), filledIn(snippet('python', 'from openai import OpenAI'), 'openai'));
    const { stdout } = await run(python, ['quick_start.py'], { cwd: folder.path, timeout: 60_000 });
    expect(stdout).toBe('OK\n');
  }, INSTALL_TIMEOUT_MS + 120_000);
});

/** The official package in an environment of its own; the path of its interpreter. */
async function installOpenai(): Promise<string> {
  const python = join(folder.path, 'venv/bin/python');
  try {
    await run('python3', ['-m', 'venv', 'venv'], { cwd: folder.path, timeout: INSTALL_TIMEOUT_MS });
    await run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', 'openai'], { cwd: folder.path, timeout: INSTALL_TIMEOUT_MS });
  } catch (cause) {
    throw new Error('The openai package cannot be installed: that takes python3 with venv (Debian: apt-get install python3-venv) and a way to the package index.', { cause });
  }
  return python;
}

describe('a stream of the quick start', () => {
  it('is a text/event-stream that ends with data: [DONE]', async () => {
    const code = snippet('bash', '"stream": true');
    expect((await bash(code)).trimEnd().split('\n').at(-1)).toBe('data: [DONE]');
    const { head, lines } = readStream(await bash(code.replace('curl ', 'curl -i ')));
    expect(head).toMatch(/^http\/1\.1 200 ok\r\n/);
    expect(head).toMatch(/^content-type: text\/event-stream/m);
    expect(lines.length).toBeGreaterThan(5);
    expect(lines.every((line) => line.startsWith('data: '))).toBe(true);
  });

  it('of messages ends with message_stop', async () => {
    const { head, lines } = readStream(await bash(streamed(ANTHROPIC()), 'anthropic'));
    expect(head).toMatch(/^content-type: text\/event-stream/m);
    expect(lines.slice(-2)).toEqual(['event: message_stop', 'data: {"type":"message_stop"}']);
  });

  it('of :generateContent with "stream": true in the body is what :streamGenerateContent?alt=sse gives', async () => {
    const asked = readStream(await bash(streamed(GEMINI()), 'gemini'));
    const official = readStream(await bash(GEMINI().replace('curl ', 'curl -i ').replace(':generateContent', ':streamGenerateContent?alt=sse'), 'gemini'));
    expect(asked.head).toMatch(/^content-type: text\/event-stream/m);
    const withoutId = (lines: string[]) => lines.map((line) => line.replace(/"responseId":"[^"]*"/, ''));
    expect(withoutId(asked.lines.map((line) => line.trimEnd()))).toEqual(withoutId(official.lines.map((line) => line.trimEnd())));
    expect(asked.lines.at(-1)).toContain('"finishReason":"STOP"');
  });
});

describe('the authentication of the quick start', () => {
  const body = { model: 'gpt-5.5', messages: [{ role: 'user', content: 'Reply with OK' }] };
  const ask = (headers: Record<string, string>, path = '/v1/chat/completions') => callWire(product.addresses.baseUrl + path, { headers, body });
  const key = () => product.addresses.keys.openai;

  it.each(['Authorization', 'x-api-key', 'x-goog-api-key'])('takes a key in %s', async (header) => {
    const answer = await ask({ [header]: header === 'Authorization' ? `Bearer ${key()}` : key() });
    expect(answer.json()).toMatchObject({ choices: [{ message: { content: 'OK' } }] });
  });

  it.each<[string, Record<string, string>, number]>([
    ['a wrong Bearer key beside a good x-api-key is refused', { authorization: 'Bearer sk-wrong', 'x-api-key': 'good' }, 401],
    ['an empty Bearer key beside a good x-api-key is refused', { authorization: 'Bearer ', 'x-api-key': 'good' }, 401],
    ['a wrong x-api-key beside a good x-goog-api-key is refused', { 'x-api-key': 'sk-wrong', 'x-goog-api-key': 'good' }, 401],
    ['a good Bearer key beside wrong other ones serves', { authorization: 'Bearer good', 'x-api-key': 'sk-wrong', 'x-goog-api-key': 'sk-wrong' }, 200],
    ['a good x-api-key beside a wrong x-goog-api-key serves', { 'x-api-key': 'good', 'x-goog-api-key': 'sk-wrong' }, 200],
  ])('lets the first header present decide: %s', async (_title, headers, status) => {
    const filled = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.replace('good', key())]));
    expect((await ask(filled)).status).toBe(status);
  });

  it.each(['key', 'api_key'])('refuses a key in ?%s=, even beside a valid header', async (name) => {
    const path = `/v1/chat/completions?${name}=${key()}`;
    for (const headers of [{}, keyHeader('openai', key())]) {
      const answer = await ask(headers, path);
      expect(answer.status).toBe(400);
      expect(answer.json()).toMatchObject({ error: { code: 'key_in_query', message: expect.stringContaining('header') } });
    }
  });
});
