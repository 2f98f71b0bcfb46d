import { isUtf8 } from 'node:buffer';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Dialect } from '../dialect.js';
import type { BodyFacts } from './body-facts.js';
import { passBody } from './body-pass.js';

// A plain reading of the same rules, over a tree that keeps repeated names. It lists every fault where the pass stops
// at the first, so the pass's fault must be among them.

type Tree =
  | { kind: 'object'; members: [string, Tree][] }
  | { kind: 'array'; items: Tree[] }
  | { kind: 'string'; text: string; bytes: number }
  | { kind: 'number'; value: number }
  | { kind: 'boolean'; value: boolean }
  | { kind: 'null' };

/** Reads a text that JSON.parse has taken. */
function treeOf(text: string): Tree {
  const tokens = text.matchAll(/"(?:\\.|[^"\\])*"|[{}[\]:,]|[^\s{}[\]:,"]+/gs);
  const next = (): string => tokens.next().value?.[0] as string;
  const value = (token: string): Tree => {
    if (token === '{') {
      const members: [string, Tree][] = [];
      for (let name = next(); name !== '}'; name = next()) {
        if (name === ',') continue;
        next();
        members.push([JSON.parse(name) as string, value(next())]);
      }
      return { kind: 'object', members };
    }
    if (token === '[') {
      const items: Tree[] = [];
      for (let item = next(); item !== ']'; item = next()) if (item !== ',') items.push(value(item));
      return { kind: 'array', items };
    }
    if (token.startsWith('"')) return { kind: 'string', text: JSON.parse(token) as string, bytes: Buffer.byteLength(token) - 2 };
    if (token === 'null') return { kind: 'null' };
    if (token === 'true' || token === 'false') return { kind: 'boolean', value: token === 'true' };
    return { kind: 'number', value: Number(token) + 0 };
  };
  return value(next());
}

function levels(tree: Tree): number {
  const inner = tree.kind === 'object' ? tree.members.map(([, member]) => member) : tree.kind === 'array' ? tree.items : undefined;
  return inner === undefined ? 0 : 1 + inner.reduce((deepest, member) => Math.max(deepest, levels(member)), 0);
}

type Scalar = string | number | boolean;
type Found = { tree: Tree; path: string; bytes: number };

class PlainReading {
  readonly faults: string[] = [];
  outputLimit: number | undefined;
  thinkingBudget: number | undefined;
  facts: Partial<BodyFacts> = {};
  hosted = new Set<string>();
  counts = { references: 0, images: 0, imageBytes: 0, otherMediaBytes: 0 };
  cache = { asksCacheWrite: false, asksOneHourCache: false };

  constructor(private readonly dialect: Dialect) {}

  /** The member of one name in all its spellings; undefined when absent or null. */
  at(parent: Found | undefined, name: string, kinds: string): Found | undefined {
    if (parent?.tree.kind !== 'object') return undefined;
    const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const path = parent.path === '' ? name : `${parent.path}.${name}`;
    const hits = parent.tree.members.filter(([other]) => other === name || (this.dialect === 'gemini-content' && other === snake));
    if (hits.length === 0 && kinds.includes('required')) this.faults.push(`invalid_field ${path}`);
    if (hits.length > 1) this.faults.push(`duplicate_field ${path}`);
    for (const [, tree] of hits) if (!kinds.includes(tree.kind)) this.faults.push(`invalid_field ${path}`);
    const tree = hits[0]?.[1];
    return tree === undefined || tree.kind === 'null' ? undefined : { tree, path, bytes: tree.kind === 'string' ? tree.bytes : 0 };
  }

  scalar(found: Found | undefined, good: (value: Scalar) => boolean = () => true): Scalar | undefined {
    const { tree } = found ?? {};
    const value = tree?.kind === 'string' ? tree.text : tree?.kind === 'number' || tree?.kind === 'boolean' ? tree.value : undefined;
    if (found && value !== undefined && !good(value)) this.faults.push(`invalid_field ${found.path}`);
    return value;
  }

  int(found: Found | undefined, min: number, max = 2 ** 31): number | undefined {
    return this.scalar(found, (value) => Number.isInteger(value) && Number(value) >= min && Number(value) <= max) as number | undefined;
  }

  text(found: Found | undefined, max: number): string | undefined {
    return this.scalar(found, (value) => String(value).length <= max) as string | undefined;
  }

  limit(found: Found | undefined, min = 1): void {
    const value = this.int(found, min);
    if (value !== undefined) this.outputLimit = Math.max(value, this.outputLimit ?? 0);
  }

  items(list: Found | undefined, alone = false): Found[] {
    if (list?.tree.kind === 'object' && alone) return [list];
    if (list?.tree.kind !== 'array') return [];
    return list.tree.items.map((tree, index) => {
      const path = `${list.path}[${index}]`;
      if (tree.kind !== 'object') this.faults.push(`invalid_field ${path}`);
      return { tree, path, bytes: 0 };
    });
  }

  refer(found: Found | undefined): void {
    if (found) this.counts.references += 1;
  }

  inline(isImage: boolean, bytes: number): void {
    if (!isImage) this.counts.otherMediaBytes += bytes;
    else Object.assign(this.counts, { images: this.counts.images + 1, imageBytes: this.counts.imageBytes + bytes });
  }

  url(found: Found | undefined, isImage: boolean): void {
    if (found?.tree.kind === 'string' && /^data:/i.test(found.tree.text)) this.inline(isImage, found.bytes);
    else this.refer(found);
  }

  shared(top: Found): void {
    if (this.dialect !== 'gemini-content') {
      this.facts.model = this.scalar(this.at(top, 'model', 'string required'), (value) => value !== '' && String(value).length <= 256) as string;
      this.facts.serviceTier = this.text(this.at(top, 'service_tier', 'string null'), 64);
    }
    this.facts.stream = this.scalar(this.at(top, 'stream', 'boolean null')) as boolean | undefined;
  }

  chat(top: Found): void {
    for (const message of this.items(this.at(top, 'messages', 'array required'))) {
      this.refer(this.at(this.at(message, 'audio', 'object null'), 'id', 'string null'));
      for (const part of this.items(this.at(message, 'content', 'array string null'))) {
        this.url(this.at(this.at(part, 'image_url', 'object null'), 'url', 'string null'), true);
        this.url(this.at(this.at(part, 'video_url', 'object null'), 'url', 'string null'), false);
        const file = this.at(part, 'file', 'object null');
        for (const data of [this.at(this.at(part, 'input_audio', 'object null'), 'data', 'string null'), this.at(file, 'file_data', 'string null')]) {
          if (data) this.inline(false, data.bytes);
        }
        this.refer(this.at(file, 'file_id', 'string null'));
      }
    }
    const options = this.at(top, 'stream_options', 'object null');
    this.facts.includeUsage = this.scalar(this.at(options, 'include_usage', 'boolean null')) as boolean | undefined;
    this.limit(this.at(top, 'max_tokens', 'number null'));
    this.limit(this.at(top, 'max_completion_tokens', 'number null'));
    this.facts.answers = this.int(this.at(top, 'n', 'number null'), 1, 128);
    this.refer(this.at(top, 'previous_response_id', 'string null'));
    for (const tool of this.items(this.at(top, 'tools', 'array null'))) {
      const type = this.text(this.at(tool, 'type', 'string null'), 256);
      if (type !== undefined && type !== 'function' && type !== 'custom') this.hosted.add(type);
    }
    if (this.at(top, 'web_search_options', 'object null')) this.hosted.add('web_search_options');
  }

  cacheControl(parent: Found): void {
    const control = this.at(parent, 'cache_control', 'object null');
    if (control) this.cache.asksCacheWrite = true;
    if (this.scalar(this.at(control, 'ttl', 'string null')) === '1h') this.cache.asksOneHourCache = true;
  }

  block(block: Found): void {
    const type = this.scalar(this.at(block, 'type', 'string'));
    const source = this.at(block, 'source', 'object string null');
    if (source?.tree.kind === 'object') {
      const way = this.scalar(this.at(source, 'type', 'string'));
      const data = this.at(source, 'data', 'string null');
      if (way === 'base64') this.inline(type === 'image', data?.bytes ?? 0);
      else if (way !== 'text' && way !== 'content') this.refer(source);
      for (const inner of this.items(this.at(source, 'content', 'array object string null'), true)) this.block(inner);
    }
    for (const inner of this.items(this.at(block, 'content', 'array object string null'), true)) this.block(inner);
    const file = this.at(block, 'file_id', 'string null');
    if (type !== 'code_execution_output' && type !== 'bash_code_execution_output') this.refer(file);
    this.cacheControl(block);
  }

  anthropic(top: Found): void {
    const texts = this.items(this.at(top, 'messages', 'array required')).map((message) => this.at(message, 'content', 'array string null'));
    for (const list of [...texts, this.at(top, 'system', 'array string null')]) for (const block of this.items(list)) this.block(block);
    this.limit(this.at(top, 'max_tokens', 'number required'), 0);
    const thinking = this.at(top, 'thinking', 'object null');
    this.thinkingBudget = this.int(this.at(thinking, 'budget_tokens', 'number null'), 1);
    const thinks = this.scalar(this.at(thinking, 'type', 'string null'));
    this.facts.thinking = thinks === undefined ? undefined : thinks === 'disabled' ? 'off' : 'on';
    this.facts.speed = this.text(this.at(top, 'speed', 'string null'), 64);
    this.facts.inferenceGeo = this.text(this.at(top, 'inference_geo', 'string null'), 64);
    for (const tool of this.items(this.at(top, 'tools', 'array null'))) {
      const type = this.text(this.at(tool, 'type', 'string null'), 256);
      if (type !== undefined && !/^(custom$|bash_|text_editor_|computer_|memory_)/.test(type)) this.hosted.add(type);
      this.cacheControl(tool);
    }
    if (this.items(this.at(top, 'mcp_servers', 'array null')).length > 0) this.hosted.add('mcp_servers');
    this.refer(this.at(top, 'container', 'object string null'));
    this.cacheControl(top);
  }

  part(part: Found): void {
    const blob = this.at(part, 'inlineData', 'object null');
    const data = this.at(blob, 'data', 'string null');
    const mime = this.scalar(this.at(blob, 'mimeType', 'string null'));
    if (data) this.inline(/^image\//i.test(String(mime)), data.bytes);
    this.refer(this.at(part, 'fileData', 'object null'));
  }

  gemini(top: Found): void {
    for (const content of this.items(this.at(top, 'contents', 'array object required'), true)) {
      for (const part of this.items(this.at(content, 'parts', 'array object null'), true)) {
        this.part(part);
        const response = this.at(part, 'functionResponse', 'object null');
        for (const inner of this.items(this.at(response, 'parts', 'array object null'), true)) this.part(inner);
      }
    }
    const system = this.at(top, 'systemInstruction', 'object null');
    for (const part of this.items(this.at(system, 'parts', 'array object null'), true)) this.part(part);
    const config = this.at(top, 'generationConfig', 'object null');
    this.limit(this.at(config, 'maxOutputTokens', 'number null'));
    this.facts.answers = this.int(this.at(config, 'candidateCount', 'number null'), 1, 128);
    this.thinkingBudget = this.int(this.at(this.at(config, 'thinkingConfig', 'object null'), 'thinkingBudget', 'number null'), -1);
    this.refer(this.at(top, 'cachedContent', 'string null'));
    this.facts.serviceTier = this.text(this.at(top, 'serviceTier', 'string null'), 64);
    for (const tool of this.items(this.at(top, 'tools', 'array object null'), true)) {
      this.at(tool, 'functionDeclarations', 'array object string number boolean null');
      for (const [name, value] of tool.tree.kind === 'object' ? tool.tree.members : []) {
        const camel = name.replace(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
        if (value.kind !== 'null' && name !== 'functionDeclarations' && name !== 'function_declarations') this.hosted.add(camel);
      }
    }
  }
}

/** What the pass must say of a body: a fault out of several, or these facts. */
function plainReading(dialect: Dialect, body: Buffer): { faults: string[]; facts: Partial<BodyFacts> } {
  const text = body.toString();
  try {
    JSON.parse(text);
    if (!isUtf8(body)) throw new SyntaxError('not UTF-8');
  } catch {
    return { faults: ['invalid_json undefined'], facts: {} };
  }
  const tree = treeOf(text);
  if (levels(tree) > 64) return { faults: ['too_deep undefined'], facts: {} };
  if (tree.kind !== 'object') return { faults: ['not_an_object undefined'], facts: {} };
  const reading = new PlainReading(dialect);
  const top = { tree, path: '', bytes: 0 };
  reading.shared(top);
  ({ 'openai-chat': () => reading.chat(top), 'anthropic-messages': () => reading.anthropic(top), 'gemini-content': () => reading.gemini(top) })[dialect]();
  const { outputLimit, thinkingBudget, counts, cache, hosted } = reading;
  const facts = { ...reading.facts, outputLimit, thinkingBudget, ...counts, ...cache, hostedTools: [...hosted].sort() };
  return { faults: reading.faults, facts: { ...facts, answers: reading.facts.answers ?? 1 } };
}

// Bodies as text: members of the dialect with mostly fitting values, in any order, spelling and spacing.

type Text = fc.Arbitrary<string>;
const seeds = fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat() });
const writeString = (text: string, seed: number): string =>
  `"${text.split('').map((unit, index) => ((seed >> (index % 30)) & 1 ? `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}` : JSON.stringify(unit).slice(1, -1))).join('')}"`;
const quoted = (text: Text): Text => fc.tuple(text, seeds).map(([plain, seed]) => writeString(plain, seed));
const characters = fc.constantFrom(...'ab 7{}[]:,"\\/\n\u0000\u001f\u007füé€\u2028', '😀', '\ud83d');
const plainTexts = fc.string({ unit: characters, maxLength: 40 });
const words = (...list: string[]): Text => quoted(fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...list) }, { weight: 1, arbitrary: plainTexts }));
const spaces = fc.constantFrom('', '', '', ' ', '\n\t', '\r');
const strange: Text = fc.oneof(fc.constantFrom('{"a":[{"n":1}]}', 'null', '[]', '{}', '-0', '1e2', '1.5', '2147483649', 'true', '""'));
const numbers: Text = fc.oneof(fc.integer({ min: 1, max: 128 }).map(String), fc.constantFrom('1', '12.0', '1e2', 'null', '5', '0', '-1'));
const either = (text: Text, odd: Text = strange): Text => fc.oneof({ weight: 40, arbitrary: text }, { weight: 1, arbitrary: odd });
const media: Text = words('data:image/png;base64,AAAA', 'DATA:,', 'https://x/y', 'image/png', 'audio/mp3', '');
const booleans: Text = fc.constantFrom('true', 'false', 'null');
const texts: Text = quoted(plainTexts);

function list(item: Text, maxLength = 3): Text {
  return fc.tuple(fc.array(either(item), { maxLength }), spaces).map(([items, space]) => `[${space}${items.join(`${space},`)}]`);
}

function object(fields: Record<string, Text>, needed: string[] = []): Text {
  const entry = (name: string): fc.Arbitrary<[string, string]> => either(fields[name] as Text).map((text) => [name, text]);
  const allNames = Object.keys(fields);
  const oneSpelling = (names: string[]): string[] => [
    ...new Map([...names, ...needed].map((name) => [name.replaceAll('_', '').toLowerCase(), name])).values(),
  ];
  const unique = fc.shuffledSubarray(allNames, { maxLength: Math.min(6, allNames.length) }).chain((names) => fc.tuple(...oneSpelling(names).map(entry)));
  const repeated = fc.array(fc.oneof(...allNames.map(entry)), { maxLength: 4 });
  const entries = fc.oneof({ weight: 40, arbitrary: unique }, { weight: 1, arbitrary: repeated });
  return fc.tuple(entries, seeds, spaces, fc.nat(9)).map(([members, seed, space, turn]) => {
    const turned = [...members.slice(turn % (members.length || 1)), ...members.slice(0, turn % (members.length || 1))];
    return `{${turned.map(([name, text]) => `${space}${writeString(name, seed)}${space}:${space}${text}${space}`).join()}}`;
  });
}

const url = object({ url: media, detail: texts });
const chatParts = object({ type: texts, text: texts, image_url: url, video_url: url, input_audio: object({ data: media }), file: object({ file_data: media, file_id: texts }) });
const toolTypes = words('function', 'custom', 'web_search', 'bash_1', 'memory_2', 'mcp_toolset');
const chatFields = {
  model: words('gpt', 'ü'), messages: list(object({ content: fc.oneof(texts, list(chatParts)), audio: object({ id: texts }), n: numbers })),
  stream: booleans, stream_options: object({ include_usage: booleans, x: numbers }), max_tokens: numbers, max_completion_tokens: numbers, n: numbers,
  service_tier: words('flex'), tools: list(object({ type: toolTypes, function: object({ type: texts, n: numbers }) })), web_search_options: object({ x: texts }),
  previous_response_id: texts, metadata: object({ model: texts, n: texts }),
};
const cacheControl = object({ type: texts, ttl: words('5m', '1h') });
const { block } = fc.letrec<{ block: string }>((tie) => ({
  block: object({
    type: words('image', 'document', 'text', 'code_execution_output'), cache_control: cacheControl, file_id: texts, input: cacheControl,
    source: fc.oneof(texts, object({ type: words('base64', 'text', 'url', 'content'), data: media, content: fc.oneof({ depthSize: 'small' }, texts, tie('block'), list(tie('block'))) })),
    content: fc.oneof({ depthSize: 'small' }, texts, tie('block'), list(tie('block'))),
  }),
}));
const anthropicFields = {
  model: words('claude'), messages: list(object({ content: fc.oneof(texts, list(block)), role: texts })), max_tokens: fc.nat(9999).map(String), stream: booleans,
  system: fc.oneof(texts, list(block)), thinking: object({ budget_tokens: numbers, type: words('disabled', 'adaptive') }), service_tier: words('auto'), speed: words('fast'), inference_geo: words('us'),
  tools: list(object({ type: toolTypes, cache_control: cacheControl, input_schema: cacheControl })), mcp_servers: list(object({ url: texts })), container: fc.oneof(texts, object({ id: texts })),
  cache_control: cacheControl, metadata: object({ max_tokens: texts }),
};
const blob = object({ mimeType: media, mime_type: media, data: texts });
const partFields = { text: texts, inlineData: blob, inline_data: blob, fileData: object({ uri: texts }), file_data: object({ uri: texts }) };
const parts = fc.oneof(list(object({ ...partFields, functionResponse: object({ parts: list(object(partFields)), response: object(partFields) }) })), object(partFields));
const config = object({ maxOutputTokens: numbers, max_output_tokens: numbers, candidateCount: numbers, thinkingConfig: object({ thinkingBudget: numbers, thinking_budget: numbers }), x: numbers });
const geminiTools = object({ functionDeclarations: list(texts), googleSearch: fc.constant('{}'), google_search: booleans, code_execution: strange, ü_x: strange });
const geminiFields = {
  contents: fc.oneof(list(object({ parts })), object({ parts })), generationConfig: config, generation_config: config, systemInstruction: object({ parts }), system_instruction: object({ parts }),
  tools: fc.oneof(list(geminiTools), geminiTools), cachedContent: texts, cached_content: texts, serviceTier: words('flex'), stream: booleans, model: strange, labels: object({ stream: texts }),
};

const bodies: Record<Dialect, Text> = {
  'openai-chat': object(chatFields, ['model', 'messages']),
  'anthropic-messages': object(anthropicFields, ['model', 'messages', 'max_tokens']),
  'gemini-content': object(geminiFields, ['contents']),
};
const cases = (Object.keys(bodies) as Dialect[]).map((dialect) => [dialect] as const);

/** Compares the pass with the plain reading; tells whether the body was good. */
function agree(dialect: Dialect, body: Buffer): boolean {
  const plain = plainReading(dialect, body);
  const { facts, fault } = passBody(dialect, body);
  if (fault) {
    // A fault of a field may come before the place where the JSON breaks; never the other way round.
    const broken = plain.faults[0] === 'invalid_json undefined' && fault.code !== 'invalid_json';
    if (!broken) expect(plain.faults).toContain(`${fault.code} ${fault.field}`);
    return false;
  }
  expect(plain.faults).toEqual([]);
  expect({ ...facts, hostedTools: [...facts.hostedTools].sort() }).toMatchObject(plain.facts);
  return true;
}

describe('body pass against a plain reading over JSON.parse', () => {
  it.each(cases)('%s: same verdict and same facts for bodies of the dialect', (dialect) => {
    let good = 0;
    fc.assert(fc.property(bodies[dialect], (text) => void (good += agree(dialect, Buffer.from(text)) ? 1 : 0)), { numRuns: 3000 });
    expect(good).toBeGreaterThan(1000);
  });

  it.each(cases)('%s: same verdict for bodies with bytes changed, cut or put in', (dialect) => {
    const bytes = fc.oneof(fc.constantFrom(...Buffer.from('"\\{}[]:,0e-+.tn \t\n\u0000\u001fu')), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(bodies[dialect], fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(2), fc.array(bytes, { maxLength: 2 }), (text, where, cut, put) => {
        const body = Buffer.from(text);
        const at = Math.floor(where * body.length);
        agree(dialect, Buffer.concat([body.subarray(0, at), Buffer.from(put), body.subarray(at + cut)]));
      }),
      { numRuns: 4000 },
    );
  });

  it.each(cases)('%s: same verdict when such a body stands where it means nothing', (dialect) => {
    const decoys = fc.tuple(bodies[dialect], bodies[dialect]).map(([outer, inner]) => outer.replace('{', `{"x":${inner},`).replace(/,\s*}$/, '}'));
    fc.assert(fc.property(decoys, (text) => void agree(dialect, Buffer.from(text))), { numRuns: 1000 });
  });

  it('any JSON at all, and any bytes at all', () => {
    for (const [dialect] of cases) {
      fc.assert(fc.property(fc.json(), (text) => void agree(dialect, Buffer.from(text))));
      fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => void agree(dialect, Buffer.from(bytes))));
    }
  });
});
