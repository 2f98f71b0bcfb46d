import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { OtlpReceiver } from '@tokone/telemetry/otlp-receiver';
import { ServicesProcess, fileTexts, redisTexts, tableTexts, testedShape, topicTexts, waitFor } from '@tokone/testing';
import { Deployment, callWire } from '../../fixtures/deployment.js';
import type { Group, WireAnswer } from '../../fixtures/deployment.js';
import { SECRET_FORMS, findSecrets } from '../../fixtures/secret-search.js';
import { ECHOES, TalkativeProvider, echoed } from '../../fixtures/talkative-provider.js';

const SEEN_DEADLINE_MS = 20_000;
const inServices = testedShape() === 'services';
const canary = (name: string): string => `canary-${name}-3b9ac9ff71`;

/** What tenants say. */
const SAID = {
  prompt: canary('prompt'),
  systemPrompt: canary('system'),
  toolName: canary('tool'),
  toolDescription: canary('description'),
  toolArgument: canary('argument'),
  toolResult: canary('result'),
  image: Buffer.from(canary('image')).toString('base64'),
  metadata: canary('metadata'),
  wrongKey: `sk-${canary('wrong-key')}`,
  keyInUrl: `sk-${canary('url-key')}`,
  wrongOperator: canary('operator'),
  badBody: canary('bad-body'),
};
const CREDENTIALS = { openaiCredential: `sk-${canary('openai')}`, anthropicCredential: `sk-ant-${canary('anthropic')}`, geminiCredential: `AIza${canary('gemini')}` };
const RECEIVER_CREDENTIAL = canary('receiver');

let receiver: OtlpReceiver;
let talkative: TalkativeProvider;
let deployment: Deployment;
let logs = '';
/** Ids of requests that went all the way, and of those that were refused or failed. */
const served: string[] = [];
const failed: string[] = [];

beforeAll(async () => {
  receiver = await OtlpReceiver.start();
  // The simulator's address is known only to the deployment.
  talkative = await TalkativeProvider.start('http://127.0.0.1:9');
  deployment = await Deployment.start({
    ...receiver.settings,
    OTEL_TRACES_SAMPLER: 'always_on',
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=${RECEIVER_CREDENTIAL}`,
    LOG_LEVEL: 'debug',
    OPENAI_API_KEY: CREDENTIALS.openaiCredential,
    ANTHROPIC_API_KEY: CREDENTIALS.anthropicCredential,
    GEMINI_API_KEY: CREDENTIALS.geminiCredential,
    TOKONE_OPENAI_UPSTREAM_URL: talkative.url,
    TOKONE_ANTHROPIC_UPSTREAM_URL: talkative.url,
    TOKONE_GEMINI_UPSTREAM_URL: talkative.url,
  });
  talkative.target = deployment.simulator.url;
  const { program } = deployment.product;
  logs = program.stderr;
  program.child.stderr?.on('data', (text: string) => (logs += text));
});
afterAll(async () => {
  await deployment.close();
  await talkative.close();
  await receiver.close();
});

const TOOL = { name: SAID.toolName, description: SAID.toolDescription, parameters: { type: 'object', properties: { a: { const: SAID.toolArgument } } } };

/** A whole conversation in the words of each provider: system prompt, image, a tool that is called, and its result. */
function conversation(group: Group, prompt: string, stream: boolean): { path: string; body: object } {
  if (group === 'openai') {
    const messages = [{ role: 'system', content: SAID.systemPrompt }, { role: 'user', content: [{ type: 'text', text: prompt }, { type: 'image_url', image_url: { url: `data:image/png;base64,${SAID.image}` } }] }, { role: 'assistant', tool_calls: [{ id: 'c', type: 'function', function: { name: SAID.toolName, arguments: JSON.stringify({ a: SAID.toolArgument }) } }] }, { role: 'tool', tool_call_id: 'c', content: SAID.toolResult }, { role: 'user', content: prompt }];
    return { path: '/v1/chat/completions', body: { model: 'gpt-5.5', messages, stream, metadata: { a: SAID.metadata }, tools: [{ type: 'function', function: TOOL }] } };
  }
  if (group === 'anthropic') {
    const { parameters, ...tool } = TOOL;
    const content = [{ type: 'text', text: prompt }, { type: 'image', source: { type: 'base64', media_type: 'image/png', data: SAID.image } }];
    return { path: '/v1/messages', body: { model: 'claude-sonnet-4-6', max_tokens: 300, system: SAID.systemPrompt, messages: [{ role: 'user', content }], stream, metadata: { user_id: SAID.metadata }, tools: [{ ...tool, input_schema: parameters }] } };
  }
  const contents = [{ role: 'user', parts: [{ text: prompt }, { inlineData: { mimeType: 'image/png', data: SAID.image } }] }];
  return { path: `/v1beta/models/gemini-3.1-pro-preview:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`, body: { systemInstruction: { parts: [{ text: SAID.systemPrompt }] }, contents, tools: [{ functionDeclarations: [TOOL] }] } };
}

async function say(group: Group, prompt: string, stream = false): Promise<WireAnswer> {
  const { path, body } = conversation(group, `${prompt} ${SAID.prompt}`, stream);
  return deployment.call(group, path, { body });
}

const idOf = ({ headers }: WireAnswer): string => String(headers['x-request-id']);

/** Completions that the tenants got, as they stand in the answers. */
const completions: Record<string, string> = {};

async function serve(): Promise<void> {
  for (const group of ['openai', 'anthropic', 'gemini'] as const) {
    for (const prompt of ['Tell me about routers', `Please use the tool ${SAID.toolName}`]) {
      const [whole, streamed] = [await say(group, prompt), await say(group, prompt, true)];
      expect([whole.status, streamed.status]).toEqual([200, 200]);
      served.push(idOf(whole), idOf(streamed));
      const text = /"(?:content|text)":\s?"([^"\\]{24,})/.exec(whole.text)?.[1];
      if (text !== undefined) completions[`completion of ${group}`] = text.slice(0, 40);
    }
  }
}

async function fail(): Promise<void> {
  const chat = '/v1/chat/completions';
  for (const echo of ECHOES) for (const stream of [false, true]) failed.push(idOf(await say('openai', echoed(echo), stream)));
  for (const group of ['anthropic', 'gemini'] as const) for (const echo of ['status-400', 'status-401', 'no-http'] as const) failed.push(idOf(await say(group, echoed(echo))));
  const refusals = [
    await deployment.call('openai', chat, { headers: { authorization: `Bearer ${SAID.wrongKey}` }, body: { model: 'gpt-5.5', messages: [{ role: 'user', content: SAID.prompt }] } }),
    await deployment.call('openai', chat, { body: `{"model": "gpt-5.5", "messages": [{"role": "user", "content": "${SAID.badBody}"` }),
    await deployment.call('openai', chat, { body: `{"model": "gpt-5.5", ${SAID.badBody}}` }),
    await deployment.call('openai', chat, { body: { model: 'gpt-5.5', messages: SAID.badBody, stream: SAID.badBody, max_tokens: SAID.badBody, n: SAID.badBody } }),
    await deployment.callBare(`/v1beta/models/gemini-3.1-pro-preview:generateContent?key=${SAID.keyInUrl}`, { body: {} }),
    await deployment.callBare(`/v1/models?key=${SAID.keyInUrl}`),
  ];
  expect(refusals.filter(({ status }) => status < 400)).toEqual([]);
  failed.push(...refusals.map(idOf));
  for (const { app, url } of await deployment.product.managementListeners()) {
    if (app !== 'account' && app !== 'standalone') continue;
    await callWire(`${url}/api/v1/accounts`, { headers: { authorization: `Bearer ${SAID.wrongOperator}` }, body: { name: SAID.wrongOperator } });
    await callWire(`${url}/api/v1/accounts`, { headers: { authorization: `Bearer ${SAID.wrongOperator}` }, body: `{"name": "${SAID.badBody}` });
  }
}

/** Secrets of the deployment itself, which it made. */
async function ownSecrets(): Promise<Record<string, string>> {
  const folder = inServices ? join(deployment.product.dataFolder, 'services') : deployment.product.dataFolder;
  const names = ['pepper', 'credential-key', 'operator-token', ...(inServices ? ['internal-secret'] : [])];
  const secrets = await Promise.all(names.map(async (name): Promise<[string, string]> => [name, (await readFile(join(folder, name), 'utf8')).trim()]));
  const bytes = secrets.map(([name, text]): [string, string] => [`bytes of ${name}`, Buffer.from(text, 'base64url').toString('hex')]);
  return Object.fromEntries([...secrets, ...bytes]);
}

async function allPlaces(): Promise<Record<string, string>> {
  const { product } = deployment;
  const listeners = await product.managementListeners();
  const looked = await Promise.all(listeners.flatMap(({ url }) => ['/metrics', '/health/ready'].map(async (path) => (await callWire(`${url}${path}`, {})).text)));
  const spools = await Promise.all(product.spoolFolders.map(fileTexts));
  const stored: Record<string, string> = product instanceof ServicesProcess ? { topics: await topicTexts(product.kafka), Redis: await redisTexts(product.redis) } : {};
  return { logs, metrics: looked.join('\n'), traces: receiver.texts.join('\n'), spool: spools.join('\n'), tables: await tableTexts(product.addresses.databaseUrl), 'standard output': product.program.stdout, ...stored };
}

describe('after requests that were served, refused and failed', () => {
  let places: Record<string, string>;
  let secrets: Record<string, string>;

  beforeAll(async () => {
    await serve();
    await fail();
    for (const requestId of served) await deployment.usageRow(requestId);
    expect(await deployment.moneyFaults()).toEqual([]);
    const last = served.at(-1)?.replaceAll('-', '') ?? '';
    await waitFor(() => receiver.trace(last).some(({ name }) => name === 'post charge'), { what: 'the last trace', deadlineMs: SEEN_DEADLINE_MS });
    places = await allPlaces();
    const keys = Object.fromEntries(Object.entries(deployment.keys).map(([group, key]) => [`key of ${group}`, key]));
    const ends = Object.fromEntries(Object.entries(keys).map(([name, key]) => [`end of the ${name}`, key.slice(-16)]));
    secrets = { ...SAID, ...CREDENTIALS, receiverCredential: RECEIVER_CREDENTIAL, ...completions, ...keys, ...ends, ...(await ownSecrets()) };
  });

  it('everything that was planted was said, and the provider repeated it', () => {
    expect(Object.keys(completions).sort()).toEqual(['completion of anthropic', 'completion of gemini', 'completion of openai']);
    expect(talkative.echoes).toBe(ECHOES.length * 2 + 6);
  });

  it('every place holds what the requests left there, so that the search sees the right bytes', () => {
    const heldBy = (place: string, ids: readonly string[]): boolean => ids.some((id) => places[place]?.includes(id));
    expect(['spool', 'tables', 'traces', ...(inServices ? ['topics'] : [])].filter((place) => !heldBy(place, served))).toEqual([]);
    expect([heldBy('logs', failed), places['logs']?.includes('"traceId":"'), places['metrics']?.includes('gw_http_requests_total')]).toEqual([true, true, true]);
    if (inServices) expect(places['Redis']?.length).toBeGreaterThan(100);
    const apps = (text: string | undefined): number => new Set([...(text ?? '').matchAll(/"name":"([a-z-]+)"/g)].map(([, name]) => name)).size;
    expect(apps(places['logs'])).toBeGreaterThanOrEqual(inServices ? 3 : 1);
  });

  it('no secret stands in any of them', () => {
    expect(findSecrets(places, secrets)).toEqual([]);
  });

  it.each(SECRET_FORMS.map(([form]) => form))('the search finds each secret in each place, %s', (form) => {
    const write = SECRET_FORMS.find(([name]) => name === form)?.[1] ?? String;
    for (const [name, secret] of Object.entries(secrets)) {
      for (const place of Object.keys(places)) {
        expect(findSecrets({ [place]: `${places[place]}…${write(secret)}…` }, { [name]: secret })).not.toEqual([]);
      }
    }
  });
});
