import { describe, expect, it } from '@jest/globals';
import type { Dialect } from '../dialect.js';
import type { BodyFacts, BodyFault } from './body-facts.js';
import { passBody } from './body-pass.js';

const CHAT = '{"model":"m","messages":[]}';
const MESSAGES = '{"model":"m","max_tokens":9,"messages":[]}';
const CONTENT = '{"contents":[]}';
const DIALECTS: Dialect[] = ['openai-chat', 'anthropic-messages', 'gemini-content'];

/** A minimal body of the dialect with more members behind. */
function bodyOf(dialect: Dialect, members = ''): string {
  const base = { 'openai-chat': CHAT, 'anthropic-messages': MESSAGES, 'gemini-content': CONTENT }[dialect];
  return members === '' ? base : `${base.slice(0, -1)},${members}}`;
}

function factsOf(dialect: Dialect, text: string | Buffer): BodyFacts {
  const result = passBody(dialect, Buffer.from(text as string));
  if (result.fault) throw new Error(`${result.fault.code} ${result.fault.field}: ${result.fault.message}`);
  return result.facts;
}

function faultOf(dialect: Dialect, text: string | Buffer): BodyFault {
  const result = passBody(dialect, Buffer.from(text as string));
  if (!result.fault) throw new Error(`accepted: ${text.toString()}`);
  return result.fault;
}

function takenByJsonParse(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe('body pass: JSON', () => {
  const values = [
    '0', '-0', '-', '+1', '01', '-01', '00', '1.', '.5', '1.5', '-1.5e3', '1e', '1e+', '1E-7', '1e5.5', '0e0', '0x1', '1_0',
    '1.0.0', '--1', 'NaN', 'Infinity', '-Infinity', '9'.repeat(400), `0.${'1'.repeat(400)}`, '1e999', '1a', '1 2',
    'true', 'false', 'null', 'tru', 'truE', 'True', 'nul', 'nulll', 'nil', 'undefined', 'falsey', 't', 'f', 'n',
    '""', '"', '"\\"', '"\\\\"', '"\\\\\\"', '"a\\', '"\\u12"', '"\\u12G4"', '"\\uD800"', '"\\u0000"', '"\\x41"', '"\\a"',
    '"\\/\\b\\f\\n\\r\\t"', '"\t"', '"\n"', '"\u0000"', '"\u001f"', '"\u007f"', '"\u2028"', '"äöü😀"', "'a'", '"\\U0041"',
    '[]', '[', ']', '[1,]', '[,1]', '[1 2]', '[1,2]', '[ ]', '[[]', '[]]', '[1}', '{}', '{', '}', '{]', '{"a"}', '{"a":}',
    '{"a":1,}', '{,"a":1}', '{"a":1 "b":2}', '{a:1}', '{1:1}', '{"a"::1}', '{"a":1,"a":2}', '{"":0}', '{null:1}',
    ' 1 ', '\t1\r\n', '\u000b1', '\f1', '\u00a01', '\ufeff1', '\u20281', '/**/1', '1//', '', ' ', ':', ',',
    `"${'x'.repeat(100)}`, `"${'x'.repeat(100)}"`, `"${'x'.repeat(53)}\n${'x'.repeat(53)}"`, `"${'\\n'.repeat(99)}"`,
  ];

  it.each(values)('takes %j as a value exactly if JSON.parse does', (value) => {
    const text = bodyOf('openai-chat', `"x":${value}`);
    const result = passBody('openai-chat', Buffer.from(text));
    expect(result.fault?.code).toBe(takenByJsonParse(text) ? undefined : 'invalid_json');
  });

  it.each(values)('refuses %j as a body, or behind one', (value) => {
    const alone = passBody('openai-chat', Buffer.from(value)).fault;
    const object = value.startsWith('{') && takenByJsonParse(value);
    expect(alone?.code).toBe(object ? 'invalid_field' : takenByJsonParse(value) ? 'not_an_object' : 'invalid_json');
    if (value.trim() !== '') expect(faultOf('openai-chat', CHAT + value).code).toBe('invalid_json');
  });

  it('refuses what is not UTF-8, wherever it stands, and a byte order mark', () => {
    const sequences = [[0xff], [0x80], [0xc0, 0xaf], [0xc3], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xf8]];
    for (const bytes of sequences) {
      const body = Buffer.concat([Buffer.from('{"model":"m","messages":[],"x":"'), Buffer.from(bytes), Buffer.from('"}')]);
      expect(passBody('openai-chat', body).fault?.code).toBe('invalid_json');
    }
    expect(faultOf('openai-chat', Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(CHAT)])).offset).toBe(0);
  });

  it('refuses a body cut at any byte', () => {
    const text = '{"model":"m\\u0041ä","messages":[{"content":[{"image_url":{"url":"data:x"}}]}],"n":1.0e0,"x":[true,null,-1.5e-3]}';
    factsOf('openai-chat', text);
    const body = Buffer.from(text);
    for (let end = 0; end < body.length; end++) {
      const code = passBody('openai-chat', body.subarray(0, end)).fault?.code;
      expect(code === 'invalid_json' || code === 'invalid_field').toBe(true);
    }
  });

  it('finds what ends or breaks a string at every offset and alignment', () => {
    for (let shift = 0; shift < 4; shift++) {
      for (let length = 0; length < 70; length++) {
        for (const [inset, good] of [['', true], ['\\n', true], ['\\"', true], ['\u0001', false], ['\u001f', false], ['ü', true], ['\u007f', true]] as const) {
          const text = bodyOf('openai-chat', `"x":"${'y'.repeat(length)}${inset}${'z'.repeat(70 - length)}","n":7`);
          const room = Buffer.alloc(text.length + 20, '"');
          const bytes = room.write(text, shift);
          const result = passBody('openai-chat', room.subarray(shift, shift + bytes));
          expect(result.facts?.answers).toBe(good ? 7 : undefined);
        }
      }
    }
  });

  it('allows 64 levels and not one more, in objects and in arrays, known places or not', () => {
    const arrays = (levels: number) => bodyOf('openai-chat', `"x":${'['.repeat(levels)}${']'.repeat(levels)}`);
    const objects = (levels: number) => bodyOf('gemini-content', `"x":${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`);
    const blocks = (levels: number) =>
      MESSAGES.replace('[]', `[{"content":${'{"content":'.repeat(levels)}"t"${'}'.repeat(levels)}}]`).replace('"content":{', '"content":[{').replace('}}]', '}]}]');
    factsOf('openai-chat', arrays(63));
    factsOf('gemini-content', objects(63));
    factsOf('anthropic-messages', blocks(60));
    for (const fault of [
      faultOf('openai-chat', arrays(64)),
      faultOf('gemini-content', objects(64)),
      faultOf('anthropic-messages', blocks(61)),
      faultOf('openai-chat', '['.repeat(100_000)),
    ]) {
      expect(fault).toMatchObject({ code: 'too_deep', field: undefined });
    }
  });

  it('answers hostile bodies of a megabyte with a result, not an exception', () => {
    const size = 1 << 20;
    const fillings = ['\\', '"', '[', '{', '{"a":', '9', '0.', 'e', '\\u0041', '\\"', ' ', '\u0000', '"\\u006d":1,', '[],', '{},'];
    for (const filling of fillings) {
      const run = filling.repeat(size / filling.length);
      for (const text of [run, `{"model":"${run}"`, bodyOf('openai-chat', `"x":"${run}"`), `{"contents":[${run}{}]}`, `{${run}"contents":[]}`]) {
        for (const dialect of DIALECTS) expect(passBody(dialect, Buffer.from(text))).toBeDefined();
      }
    }
  });

  it('says where the trouble is without repeating the body', () => {
    const fault = faultOf('openai-chat', '{"model":"secret-model", "secret": secret}');
    expect(fault).toMatchObject({ code: 'invalid_json', field: undefined, offset: 35 });
    expect(fault.message).toContain('byte 35');
    expect(fault.message).not.toContain('secret');
    expect(faultOf('openai-chat', '').message).toBe('The request body is not valid JSON: it ends where a value is expected (at byte 0).');
  });
});

describe('body pass: rules for the recorded fields', () => {
  const required: [Dialect, string, string][] = [
    ['openai-chat', '{}', 'model'],
    ['openai-chat', '{"messages":[]}', 'model'],
    ['openai-chat', '{"model":"m"}', 'messages'],
    ['anthropic-messages', '{"messages":[],"max_tokens":1}', 'model'],
    ['anthropic-messages', '{"model":"m","max_tokens":1}', 'messages'],
    ['anthropic-messages', '{"model":"m","messages":[]}', 'max_tokens'],
    ['gemini-content', '{}', 'contents'],
    ['gemini-content', '{"x":{"contents":[]}}', 'contents'],
  ];

  it.each(required)('%s %s lacks %s', (dialect, text, field) => {
    expect(faultOf(dialect, text)).toMatchObject({ code: 'invalid_field', field, message: `\`${field}\` is required.` });
  });

  const wrong: [Dialect, string, string][] = [
    ['openai-chat', '{"model":1,"messages":[]}', 'model'],
    ['openai-chat', '{"model":null,"messages":[]}', 'model'],
    ['openai-chat', '{"model":"","messages":[]}', 'model'],
    ['openai-chat', `{"model":"${'m'.repeat(257)}","messages":[]}`, 'model'],
    ['openai-chat', '{"model":"m","messages":{}}', 'messages'],
    ['openai-chat', '{"model":"m","messages":["hi"]}', 'messages[0]'],
    ['openai-chat', '{"model":"m","messages":[{},{"content":7}]}', 'messages[1].content'],
    ['openai-chat', '{"model":"m","messages":[{"content":["hi"]}]}', 'messages[0].content[0]'],
    ['openai-chat', '{"model":"m","messages":[{},{"content":[{},{"image_url":{"url":5}}]}]}', 'messages[1].content[1].image_url.url'],
    ['anthropic-messages', '{"model":"m","messages":[],"max_tokens":null}', 'max_tokens'],
    ['anthropic-messages', '{"model":"m","messages":"hi","max_tokens":1}', 'messages'],
    ['anthropic-messages', bodyOf('anthropic-messages', '"system":[{"source":{"type":3}}]'), 'system[0].source.type'],
    ['gemini-content', '{"contents":"hi"}', 'contents'],
    ['gemini-content', '{"contents":{"parts":["hi"]}}', 'contents.parts[0]'],
    ...([
      ['openai-chat', 'stream', ['1', '"true"', '{}']],
      ['openai-chat', 'stream_options', ['true', '[]']],
      ['openai-chat', 'max_tokens', ['0', '-1', '1.5', '"9"', 'true', '2147483649', '1e999', '[]']],
      ['openai-chat', 'max_completion_tokens', ['0', '1e-7', '1e20']],
      ['openai-chat', 'n', ['0', '129', '"1"']],
      ['openai-chat', 'service_tier', ['1', `"${'x'.repeat(65)}"`]],
      ['openai-chat', 'tools', ['{}', '"x"']],
      ['openai-chat', 'web_search_options', ['true']],
      ['anthropic-messages', 'thinking', ['true']],
      ['anthropic-messages', 'tools', ['{}']],
      ['anthropic-messages', 'mcp_servers', ['"x"']],
      ['anthropic-messages', 'container', ['[]']],
      ['anthropic-messages', 'cache_control', ['"ephemeral"']],
      ['gemini-content', 'generationConfig', ['[]', '"x"']],
      ['gemini-content', 'cachedContent', ['{}']],
      ['gemini-content', 'stream', ['"true"']],
    ] as [Dialect, string, string[]][]).flatMap(([dialect, field, values]) =>
      values.map((value): [Dialect, string, string] => [dialect, bodyOf(dialect, `"${field}":${value}`), field]),
    ),
    ['openai-chat', bodyOf('openai-chat', '"stream_options":{"include_usage":"yes"}'), 'stream_options.include_usage'],
    ['anthropic-messages', bodyOf('anthropic-messages', '"thinking":{"budget_tokens":0}'), 'thinking.budget_tokens'],
    ['anthropic-messages', bodyOf('anthropic-messages', '"thinking":{"type":true}'), 'thinking.type'],
    ['gemini-content', bodyOf('gemini-content', '"generation_config":{"max_output_tokens":"9"}'), 'generationConfig.maxOutputTokens'],
    ['gemini-content', bodyOf('gemini-content', '"generationConfig":{"thinkingConfig":{"thinkingBudget":-2}}'), 'generationConfig.thinkingConfig.thinkingBudget'],
    ['openai-chat', bodyOf('openai-chat', `"tools":[${'{"type":"t"},'.repeat(257)}{}]`), 'tools[256].type'],
    ['gemini-content', bodyOf('gemini-content', `"tools":{${Array.from({ length: 257 }, (_, i) => `"t${i}":{}`).join()}}`), 'tools'],
  ];

  it.each(wrong)('%s refuses %s, naming %s', (dialect, text, field) => {
    const fault = faultOf(dialect, text);
    expect(fault).toMatchObject({ code: 'invalid_field', field });
    expect(fault.message).toMatch(/^`.*` (must be an? .*|has .*)\.$/);
  });

  const twice: [Dialect, string, string][] = [
    ['openai-chat', bodyOf('openai-chat', '"model":"m"'), 'model'],
    ['openai-chat', bodyOf('openai-chat', '"mod\\u0065l":"other"'), 'model'],
    ['openai-chat', bodyOf('openai-chat', '"max_tokens":1,"n":1,"max_\\u0074okens":null'), 'max_tokens'],
    ['openai-chat', bodyOf('openai-chat', '"messages":[]'), 'messages'],
    ['openai-chat', bodyOf('openai-chat', '"stream_options":{"include_usage":true,"include_usage":false}'), 'stream_options.include_usage'],
    ['openai-chat', '{"model":"m","messages":[{"content":"a","content":[]}]}', 'messages[0].content'],
    ['anthropic-messages', bodyOf('anthropic-messages', '"thinking":{"budget_tokens":9,"budget_tokens":9}'), 'thinking.budget_tokens'],
    ['anthropic-messages', bodyOf('anthropic-messages', '"tools":[{"type":"custom","type":"x"}]'), 'tools[0].type'],
    ...([
      ['"generationConfig":{},"generation_config":{}', 'generationConfig'],
      ['"cachedContent":null,"cached_content":"c"', 'cachedContent'],
      ['"systemInstruction":{},"system_instruction":{}', 'systemInstruction'],
      ['"generationConfig":{"maxOutputTokens":5,"max_output_tokens":6}', 'generationConfig.maxOutputTokens'],
      ['"generationConfig":{"candidateCount":1,"candidate_count":1}', 'generationConfig.candidateCount'],
      ['"generationConfig":{"thinking_config":{},"thinkingConfig":{}}', 'generationConfig.thinkingConfig'],
      ['"generationConfig":{"thinkingConfig":{"thinking_budget":1,"thinkingBudget":1}}', 'generationConfig.thinkingConfig.thinkingBudget'],
      ['"systemInstruction":{"parts":[{"inlineData":{},"inline_data":{}}]}', 'systemInstruction.parts[0].inlineData'],
      ['"systemInstruction":{"parts":{"fileData":{},"file_data":{}}}', 'systemInstruction.parts.fileData'],
    ] as const).map(([members, field]): [Dialect, string, string] => ['gemini-content', bodyOf('gemini-content', members), field]),
  ];

  it.each(twice)('%s refuses a repeated name: %s', (dialect, text, field) => {
    expect(faultOf(dialect, text)).toMatchObject({ code: 'duplicate_field', field, message: `\`${field}\` is given twice.` });
  });

  it('lets repeated names pass where they mean nothing', () => {
    factsOf('openai-chat', bodyOf('openai-chat', '"metadata":{"model":1,"model":2},"user":"a","user":"b","maxTokens":1,"x":{"n":-1}'));
    factsOf('gemini-content', bodyOf('gemini-content', '"model":1,"model":[],"max_tokens":"x"'));
  });
});
