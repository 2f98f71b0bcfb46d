import { describe, expect, it } from '@jest/globals';
import type { Dialect } from '../dialect.js';
import type { BodyFacts, ByteSpan } from './body-facts.js';
import { passBody } from './body-pass.js';

function factsOf(dialect: Dialect, text: string): BodyFacts {
  const result = passBody(dialect, Buffer.from(text));
  if (result.fault) throw new Error(`${result.fault.code} ${result.fault.field}: ${result.fault.message}`);
  return result.facts;
}

function cut(text: string, span: ByteSpan | undefined): string | undefined {
  return span && Buffer.from(text).subarray(span.start, span.end).toString();
}

const NOTHING: BodyFacts = { ...factsOf('gemini-content', '{"contents":[]}'), insertAt: 0 };

/** Facts that differ from those of a body that asks for nothing, without spans. */
function found(dialect: Dialect, text: string): Partial<BodyFacts> {
  const differing = Object.entries(factsOf(dialect, text)).filter(
    ([name, value]) => !/Span$|^insertAt|^generationConfig|^model$/.test(name) && JSON.stringify(value) !== JSON.stringify(NOTHING[name as keyof BodyFacts]),
  );
  return Object.fromEntries(differing) as Partial<BodyFacts>;
}

const chat = (members: string): string => `{"model":"m","messages":[],${members}}`;
const chatPart = (part: string): string => `{"model":"m","messages":[{},{"content":[{"type":"text"},${part}]}]}`;
const messages = (members: string): string => `{"model":"m","max_tokens":7,"messages":[],${members}}`;
const block = (content: string): string => `{"model":"m","max_tokens":7,"messages":[{"content":[${content}]}]}`;
const content = (members: string): string => `{"contents":[],${members}}`;
const part = (member: string): string => `{"contents":[{"parts":[{"text":"a"},{${member}}]}]}`;

type Row = [string, Partial<BodyFacts>];

describe('body facts: OpenAI chat', () => {
  const rows: Row[] = [
    [chat('"stream":true'), { stream: true }],
    [chat('"stream":false'), { stream: false }],
    [chat('"stream":null,"n":null,"max_tokens":null,"tools":null,"stream_options":null,"service_tier":null'), {}],
    [chat('"stream_options":{"include_usage":true}'), { includeUsage: true }],
    [chat('"stream_options":{"include_usage":false,"x":1}'), { includeUsage: false }],
    [chat('"max_tokens":5,"max_completion_tokens":9'), { outputLimit: 9 }],
    [chat('"max_completion_tokens":5,"max_tokens":2147483648'), { outputLimit: 2 ** 31 }],
    [chat('"max_tokens":1e2'), { outputLimit: 100 }],
    [chat('"max_tokens":100.0,"n":128'), { outputLimit: 100, answers: 128 }],
    [chat('"max_t\\u006fkens":12,"service_tier":"fl\\u0065x"'), { outputLimit: 12, serviceTier: 'flex' }],
    [chat('"tools":[{"type":"function"},{"type":"custom"},{"type":"web_search"},{"type":"web_search"}]'), { hostedTools: ['web_search'] }],
    [chat('"web_search_options":{}'), { hostedTools: ['web_search_options'] }],
    [chat('"web_search_options":null,"store":true,"metadata":{"stream":1},"reasoning_effort":"high"'), {}],
    [chat('"previous_response_id":"r"'), { references: 1 }],
    [chatPart('{"image_url":{"url":"data:image/png;base64,AAAA"}}'), { images: 1, imageBytes: 26 }],
    [chatPart('{"image_url":{"url":"D\\u0041TA:image\\/png,"}}'), { images: 1, imageBytes: 21 }],
    [chatPart('{"image_url":{"url":"https://x/data:"}}'), { references: 1 }],
    [chatPart('{"input_audio":{"data":"AAAAA","format":"mp3"}}'), { otherMediaBytes: 5 }],
    [chatPart('{"input_audio":{"data":null},"image_url":{"url":null},"file":{"file_id":null,"file_data":null}}'), {}],
    [chat('"max_t\\u006Fkens":12,"previous_response_\\u0069dx":5'), { outputLimit: 12 }],
    [chatPart('{"file":{"file_data":"data:application/pdf;base64,AA"}},{"file":{"file_id":"f"}}'), { otherMediaBytes: 30, references: 1 }],
    ['{"model":"m","messages":[{"role":"assistant","audio":{"id":"a"},"content":null}]}', { references: 1 }],
    [chat('"tools":[{"type":"function","function":{"parameters":{"type":"object","properties":{"max_tokens":{"type":"web_search"},"n":{}}}}}]'), {}],
    ['{"model":"m","messages":[{"content":"{\\"n\\":5}","tool_calls":[{"function":{"arguments":"{}"},"image_url":{"url":"x"}}],"n":3,"max_tokens":1}]}', {}],
  ];

  it.each(rows)('%s', (text, expected) => {
    expect(found('openai-chat', text)).toEqual(expected);
  });

  it('keeps the model as it is meant, however it is written', () => {
    for (const [written, model] of [['"gpt-4o"', 'gpt-4o'], ['"\\u0067pt\\n\\"ü\\ud83d\\ude00"', 'gpt\n"ü😀'], [`"${'ü'.repeat(256)}"`, 'ü'.repeat(256)]] as const) {
      const text = `{"messages":[{"content":"äöü"}], "model" : ${written} }`;
      const facts = factsOf('openai-chat', text);
      expect(facts.model).toBe(model);
      expect(cut(text, facts.modelSpan)).toBe(written);
    }
  });
});

describe('body facts: Anthropic messages', () => {
  const image = '{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}';
  const rows: Row[] = [
    [messages('"stream":true'), { outputLimit: 7, stream: true }],
    [messages('"thinking":{"type":"enabled","budget_tokens":1024}'), { outputLimit: 7, thinkingBudget: 1024, thinking: 'on' }],
    [messages('"thinking":{"type":"adaptive","display":"omitted"}'), { outputLimit: 7, thinking: 'on' }],
    [messages('"thinking":{"type":"d\\u0069sabled"}'), { outputLimit: 7, thinking: 'off' }],
    [messages('"thinking":{"type":null}'), { outputLimit: 7 }],
    [messages('"service_tier":"auto","speed":"fast","inference_geo":"us"'), { outputLimit: 7, serviceTier: 'auto', speed: 'fast', inferenceGeo: 'us' }],
    [
      messages('"tools":[{"name":"a"},{"type":"custom"},{"type":null},{"type":"bash_20250124"},{"type":"text_editor_20250728"},{"type":"computer_20250124"},{"type":"memory_20250818"}]'),
      { outputLimit: 7 },
    ],
    [
      messages('"tools":[{"type":"web_search_20250305"},{"type":"web_fetch_20250910"},{"type":"code_execution_20250825"},{"type":"mcp_toolset"}]'),
      { outputLimit: 7, hostedTools: ['web_search_20250305', 'web_fetch_20250910', 'code_execution_20250825', 'mcp_toolset'] },
    ],
    [messages('"mcp_servers":[]'), { outputLimit: 7 }],
    [messages('"mcp_servers":[{},{}]'), { outputLimit: 7, hostedTools: ['mcp_servers'] }],
    [messages('"container":"c"'), { outputLimit: 7, references: 1 }],
    [messages('"container":{"id":"c"}'), { outputLimit: 7, references: 1 }],
    [messages('"cache_control":{"type":"ephemeral"}'), { outputLimit: 7, asksCacheWrite: true }],
    [messages('"cache_control":null,"container":null'), { outputLimit: 7 }],
    [messages('"system":[{"cache_control":{"ttl":"1h"}}]'), { outputLimit: 7, asksCacheWrite: true, asksOneHourCache: true }],
    [messages('"tools":[{"cache_control":{"ttl":"5m"},"input_schema":{"cache_control":{"ttl":"1h"},"type":"x"}}]'), { outputLimit: 7, asksCacheWrite: true }],
    [block('{"type":"text","cache_control":{"ttl":"1\\u0068"}}'), { outputLimit: 7, asksCacheWrite: true, asksOneHourCache: true }],
    [block('{"type":"tool_use","input":{"cache_control":{"ttl":"1h"},"source":{"type":"url"}}}'), { outputLimit: 7 }],
    [block(image), { outputLimit: 7, images: 1, imageBytes: 4 }],
    [block('{"source":{"data":"AAAA","type":"base64"},"type":"image"}'), { outputLimit: 7, images: 1, imageBytes: 4 }],
    [block('{"type":"document","source":{"type":"base64","data":"AAAA"}}'), { outputLimit: 7, otherMediaBytes: 4 }],
    [block('{"type":"document","source":{"type":"text","data":"plain"}}'), { outputLimit: 7 }],
    [block('{"type":"document","source":{"type":"base64","data":null}}'), { outputLimit: 7 }],
    [block(`{"type":"document","source":{"type":"content","content":[${image}]}}`), { outputLimit: 7, images: 1, imageBytes: 4 }],
    [block('{"type":"image","source":{"type":"url","url":"https://x"}}'), { outputLimit: 7, references: 1 }],
    [block('{"type":"document","source":{"type":"file","file_id":"f"}}'), { outputLimit: 7, references: 1 }],
    [block('{"type":"document","source":{"type":"of tomorrow"}},{"source":{}}'), { outputLimit: 7, references: 2 }],
    [block('{"type":"container_upload","file_id":"f"}'), { outputLimit: 7, references: 1 }],
    [block('{"type":"search_result","source":"https://x","content":[{"type":"text"}]}'), { outputLimit: 7 }],
    [
      block(`{"type":"tool_result","content":[${image},{"type":"document","source":{"type":"url"},"cache_control":{}}]}`),
      { outputLimit: 7, images: 1, imageBytes: 4, references: 1, asksCacheWrite: true },
    ],
    [
      block('{"type":"web_fetch_tool_result","content":{"type":"web_fetch_result","content":{"type":"document","source":{"type":"base64","data":"AA"}}}}'),
      { outputLimit: 7, otherMediaBytes: 2 },
    ],
    [block('{"content":{"content":[{"type":"bash_code_execution_output","file_id":"f"}]}}'), { outputLimit: 7 }],
    [messages('"metadata":{"cache_control":{"ttl":"1h"},"max_tokens":99}'), { outputLimit: 7 }],
    ['{"model":"m","max_tokens":0,"messages":[{"content":"text"}],"system":"text"}', { outputLimit: 0 }],
  ];

  it.each(rows)('%s', (text, expected) => {
    expect(found('anthropic-messages', text)).toEqual(expected);
  });
});

describe('body facts: Gemini content', () => {
  const rows: Row[] = [
    [content('"stream":true,"model":7'), { stream: true }],
    [content('"generationConfig":{"maxOutputTokens":5,"candidateCount":2}'), { outputLimit: 5, answers: 2 }],
    [content('"generation_config":{"max_output_tokens":5,"candidate_count":2,"thinking_config":{"thinking_budget":-1}}'), { outputLimit: 5, answers: 2, thinkingBudget: -1 }],
    [content('"generationConfig":{"maxOutputTokens":null,"thinkingConfig":{"thinkingBudget":0}}'), { thinkingBudget: 0 }],
    [content('"cachedContent":"c","service_tier":"FLEX"'), { references: 1, serviceTier: 'FLEX' }],
    [content('"tools":[{"functionDeclarations":[{"name":"googleSearch","parameters":{"googleSearch":1}}]},{"function_declarations":[]}]'), {}],
    [
      content('"tools":[{"google_search":{}},{"googleSearch":{},"code_execution":{}},{"urlContext":{},"googleMaps":null,"of_tomorrow":1}]'),
      { hostedTools: ['googleSearch', 'codeExecution', 'urlContext', 'ofTomorrow'] },
    ],
    [content('"tools":{"enterprise\\u0057ebSearch":{}}'), { hostedTools: ['enterpriseWebSearch'] }],
    [part('"inlineData":{"mimeType":"image/png","data":"AAAA"}'), { images: 1, imageBytes: 4 }],
    [part('"inline_data":{"data":"AAAA","mime_type":"IMAGE\\/png"}'), { images: 1, imageBytes: 4 }],
    [part('"inlineData":{"mimeType":"audio/mp3","data":"AAAA"}'), { otherMediaBytes: 4 }],
    [part('"fileData":{"fileUri":"u"}'), { references: 1 }],
    [part('"file_data":null,"inlineData":null,"functionCall":{"args":{"fileData":{}}}'), {}],
    [part('"functionResponse":{"response":{"fileData":{}},"parts":[{"fileData":{}},{"inlineData":{"data":"AA"}}]}'), { references: 1, otherMediaBytes: 2 }],
    ['{"contents":{"parts":{"fileData":{}}}}', { references: 1 }],
    [content('"system_instruction":{"parts":[{"inlineData":{"mimeType":"image/x","data":""}}]}'), { images: 1 }],
    [content('"generationConfig":{"responseSchema":{"maxOutputTokens":"x","candidateCount":{}}},"max_tokens":5'), {}],
  ];

  it.each(rows)('%s', (text, expected) => {
    expect(found('gemini-content', text)).toEqual(expected);
  });

  it('says where a member of generationConfig may be inserted', () => {
    for (const [text, insertAt, empty, value] of [
      ['{"contents":[]}', undefined, true, undefined],
      ['{"contents":[],"generationConfig":null}', undefined, true, 'null'],
      ['{"ü":1,"generation_config" : { },"contents":[]}', 31, true, '{ }'],
      ['{"contents":[],"generationConfig":{"a":1}}', 35, false, '{"a":1}'],
    ] as const) {
      const facts = factsOf('gemini-content', text);
      expect([facts.generationConfigInsertAt, facts.generationConfigEmpty]).toEqual([insertAt, empty]);
      expect(cut(text, facts.generationConfigSpan)).toBe(value);
      expect(facts.model).toBeUndefined();
    }
  });
});

describe('body facts: spans', () => {
  it('gives the member stream with one comma', () => {
    for (const [text, member] of [
      ['{"stream":true,"contents":[]}', '"stream":true,'],
      ['{"contents":[] , "stream" : null }', ', "stream" : null'],
      ['{"contents":[],\n"str\\u0065am":false ,"x":1}', '"str\\u0065am":false ,'],
    ] as const) {
      expect(cut(text, factsOf('gemini-content', text).streamMemberSpan)).toBe(member);
    }
  });

  it('counts in bytes, not in characters', () => {
    const text = ' {"user":"äöü😀","stream_options": {"include_usage": false },"max_tokens": 1e1 ,"model":"m","messages":[],"max_completion_tokens":null}';
    const facts = factsOf('openai-chat', text);
    expect(facts.insertAt).toBe(2);
    expect(facts.empty).toBe(false);
    expect(cut(text, facts.streamOptionsSpan)).toBe('{"include_usage": false }');
    expect(cut(text, facts.includeUsageSpan)).toBe('false');
    expect(cut(text, facts.maxTokensSpan)).toBe('1e1');
    expect(cut(text, facts.maxCompletionTokensSpan)).toBe('null');
  });
});
