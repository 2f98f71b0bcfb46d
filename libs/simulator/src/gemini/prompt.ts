import type { Call, JsonObject, Prompt, ToolOffer } from '../dialect.js';
import { isObject, numberIf, objectOf, objectsOf, textIf, textOf } from '../json.js';
import { Refusal } from '../refusal.js';

/** Reads a body of :generateContent or :streamGenerateContent. As with every proto3 JSON API, camelCase and snake_case are the same field. */
export function readGeminiPrompt({ body, query, pathModel = '', pathStreamed = false }: Call): Prompt {
  refuseBadFields(body, pathModel);
  const settings = objectOf(field(body, 'generationConfig'));
  const contents = contentsOf(field(body, 'contents'));
  const last = contents.at(-1) ?? {};
  const parts = contents.flatMap((content) => objectsOf(content['parts']));
  const texts = [...objectsOf(objectOf(field(body, 'systemInstruction'))['parts']), ...parts].map(partText);
  const declarations = objectsOf(field(body, 'tools')).flatMap((tool) => objectsOf(field(tool, 'functionDeclarations')));
  const thinking = objectOf(field(settings, 'thinkingConfig'));
  const schema = field(settings, 'responseJsonSchema') ?? field(settings, 'responseSchema');
  return {
    model: pathModel,
    streamed: pathStreamed,
    framing: query.get('alt') === 'sse' ? 'sse' : 'json-array',
    usageInStream: true,
    inputBytes: texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0) + (declarations.length > 0 ? Buffer.byteLength(JSON.stringify(declarations)) : 0),
    mediaParts: parts.filter((part) => field(part, 'inlineData') !== undefined || field(part, 'fileData') !== undefined).length,
    question: objectsOf(last['parts']).map((part) => textOf(part['text'])).join('\n'),
    answersTool: objectsOf(last['parts']).some((part) => field(part, 'functionResponse') !== undefined),
    choices: numberIf(field(settings, 'candidateCount')) ?? 1,
    outputLimit: numberIf(field(settings, 'maxOutputTokens')),
    tools: declarations.map(readTool).filter((tool) => tool !== undefined),
    toolChoice: readToolChoice(objectOf(field(objectOf(field(body, 'toolConfig')), 'functionCallingConfig'))),
    answerSchema: isObject(schema) ? schema : undefined,
    thinkingShown: field(thinking, 'includeThoughts') === true,
    serviceTier: servedTier(textIf(field(body, 'serviceTier'))),
  };
}

function refuseBadFields(body: JsonObject, model: string): void {
  if (model.includes('nonexistent')) {
    throw new Refusal(404, `models/${model} is not found for API version v1beta, or is not supported for generateContent.`);
  }
  // The API has no such field, and it refuses unknown names; other unknown names pass here, so that pass-through can be tested.
  if ('stream' in body) throw unknownName('stream');
  const contents = field(body, 'contents');
  if (contents === undefined || (Array.isArray(contents) && contents.length === 0)) {
    throw new Refusal(400, '* GenerateContentRequest.contents: contents is not specified\n');
  }
  if (typeof contents !== 'object' || contents === null) throw invalidValue('contents', 'type.googleapis.com/google.ai.generativelanguage.v1beta.Content', contents);
  contentsOf(contents).forEach((content, index) => {
    if (objectsOf(content['parts']).length === 0) {
      throw new Refusal(400, `* GenerateContentRequest.contents[${index}].parts: contents.parts must not be empty.\n`);
    }
  });
  const settings = field(body, 'generationConfig');
  if (settings === undefined) return;
  if (!isObject(settings)) throw invalidValue('generation_config', 'type.googleapis.com/google.ai.generativelanguage.v1beta.GenerationConfig', settings);
  for (const name of ['maxOutputTokens', 'candidateCount']) {
    const value = field(settings, name);
    if (value !== undefined && !Number.isInteger(value)) throw invalidValue(`generation_config.${snakeCase(name)}`, 'TYPE_INT32', value);
  }
  const candidates = numberIf(field(settings, 'candidateCount')) ?? 1;
  if (candidates < 1 || candidates > 8) throw new Refusal(400, '* GenerateContentRequest.generation_config.candidate_count: must be between 1 and 8.\n');
}

function unknownName(name: string): Refusal {
  return new Refusal(400, `Invalid JSON payload received. Unknown name "${name}": Cannot find field.`, { field: '' });
}

function invalidValue(name: string, type: string, value: unknown): Refusal {
  return new Refusal(400, `Invalid value at '${name}' (${type}), ${JSON.stringify(value)}`, { field: name });
}

function readTool(declaration: JsonObject): ToolOffer | undefined {
  if (typeof declaration['name'] !== 'string') return undefined;
  return { name: declaration['name'], parameters: objectOf(field(declaration, 'parametersJsonSchema') ?? declaration['parameters']) };
}

function readToolChoice(choice: JsonObject): Prompt['toolChoice'] {
  const mode = textOf(choice['mode']).toUpperCase();
  if (mode === 'NONE') return 'none';
  if (mode !== 'ANY') return 'auto';
  const allowed = field(choice, 'allowedFunctionNames');
  const name = Array.isArray(allowed) ? textIf(allowed[0]) : undefined;
  return name === undefined ? 'required' : { name };
}

/** "Priority inference" and "Flex inference": requests say `flex`, or in the older spelling `SERVICE_TIER_FLEX`. */
function servedTier(requested: string | undefined): string {
  const tier = requested?.toLowerCase().replace('service_tier_', '');
  return tier === undefined || tier === 'unspecified' ? 'standard' : tier;
}

/** A proto3 JSON reader takes one message where a list is declared. */
function contentsOf(contents: unknown): JsonObject[] {
  return isObject(contents) ? [contents] : objectsOf(contents);
}

function partText(part: JsonObject): string {
  if (typeof part['text'] === 'string') return part['text'];
  const exchanged = field(part, 'functionCall') ?? field(part, 'functionResponse');
  return exchanged === undefined ? '' : JSON.stringify(exchanged);
}

function field(object: JsonObject, camelName: string): unknown {
  return object[camelName] ?? object[snakeCase(camelName)];
}

function snakeCase(camelName: string): string {
  return camelName.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
