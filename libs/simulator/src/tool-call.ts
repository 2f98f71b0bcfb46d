import { AnswerText, tokensOfBytes } from './answer-text.js';
import type { JsonObject, Prompt, ToolOffer } from './dialect.js';
import { isObject, objectOf, textIf } from './json.js';

export interface ToolCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: JsonObject;
  /** The same as JSON text, as it is streamed. */
  readonly argumentsText: AnswerText;
  readonly nameTokens: number;
  /** Tokens of name and arguments. */
  readonly tokenCount: number;
}

/** The tools that this prompt asks for: those it names, or the first one for "use the tool", or what the tool choice forces. */
export function callTools(prompt: Prompt, seed: number): ToolCall[] {
  return wantedTools(prompt).map((offer, index) => callOf(offer, seed + index));
}

function wantedTools({ tools, toolChoice, question, answersTool }: Prompt): readonly ToolOffer[] {
  if (tools.length === 0 || toolChoice === 'none') return [];
  if (typeof toolChoice === 'object') return tools.filter((offer) => offer.name === toolChoice.name);
  const asked = question.toLowerCase();
  const named = answersTool ? [] : tools.filter((offer) => asked.includes(offer.name.toLowerCase()));
  if (named.length > 0) return named;
  const any = toolChoice === 'required' || (!answersTool && asked.includes('use the tool'));
  return any ? tools.slice(0, 1) : [];
}

function callOf(offer: ToolOffer, seed: number): ToolCall {
  const example = objectOf(exampleOf(offer.parameters, seed));
  const argumentsText = AnswerText.literal(JSON.stringify(example));
  const nameTokens = tokensOfBytes(Buffer.byteLength(offer.name));
  return {
    id: (seed >>> 0).toString(36).padStart(8, '0') + offer.name.length.toString(36),
    name: offer.name,
    arguments: example,
    argumentsText,
    nameTokens,
    tokenCount: nameTokens + argumentsText.tokenCount,
  };
}

/** A value that a JSON schema accepts, for the parts of JSON schema that tool definitions use. */
export function exampleOf(schema: JsonObject, seed: number, depth = 0): unknown {
  if (depth > 8) return null;
  if ('const' in schema) return schema['const'];
  if (Array.isArray(schema['enum'])) return schema['enum'][seed % schema['enum'].length];
  const variants = schema['anyOf'] ?? schema['oneOf'];
  if (Array.isArray(variants) && isObject(variants[0])) return exampleOf(variants[0], seed, depth + 1);
  switch (typeNameOf(schema)) {
    case 'object':
      return exampleObject(schema, seed, depth);
    case 'array':
      return [exampleOf(objectOf(schema['items']), seed, depth + 1)];
    case 'integer':
    case 'number':
      return typeof schema['minimum'] === 'number' ? schema['minimum'] : 1 + (seed % 9);
    case 'boolean':
      return true;
    case 'null':
      return null;
    default:
      return 'Zürich "HB"';
  }
}

function exampleObject(schema: JsonObject, seed: number, depth: number): JsonObject {
  const properties = objectOf(schema['properties']);
  return Object.fromEntries(Object.entries(properties).map(([name, property]) => [name, exampleOf(objectOf(property), seed, depth + 1)]));
}

/** Gemini writes type names in capitals; JSON schema allows a list of them. */
function typeNameOf(schema: JsonObject): string {
  const type = Array.isArray(schema['type']) ? textIf(schema['type'][0]) : textIf(schema['type']);
  return type?.toLowerCase() ?? (isObject(schema['properties']) ? 'object' : 'string');
}
