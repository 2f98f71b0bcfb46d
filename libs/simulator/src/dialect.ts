import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import type { Answer } from './answer.js';
import type { Refusal } from './refusal.js';

export type DialectName = 'openai-chat' | 'anthropic-messages' | 'gemini-content';
export type JsonObject = Record<string, unknown>;

/** One request as it came, before a dialect has read it. */
export interface Call {
  readonly headers: IncomingHttpHeaders;
  readonly query: URLSearchParams;
  readonly body: JsonObject;
  /** Gemini names these in the path. */
  readonly pathModel?: string;
  readonly pathStreamed?: boolean;
}

export interface ToolOffer {
  readonly name: string;
  /** JSON schema of the arguments, as the client sent it. */
  readonly parameters: JsonObject;
}

/** What every dialect's request comes down to. */
export interface Prompt {
  readonly model: string;
  readonly streamed: boolean;
  readonly framing: 'sse' | 'json-array';
  /** OpenAI sends usage in a stream only on request; the others always do. */
  readonly usageInStream: boolean;
  /** All text of the conversation and of the tools. */
  readonly inputBytes: number;
  readonly mediaParts: number;
  /** Text of the last turn, which decides what is answered. */
  readonly question: string;
  /** The last turn carries a tool's result, so no tool is called again. */
  readonly answersTool: boolean;
  readonly choices: number;
  readonly outputLimit?: number;
  readonly tools: readonly ToolOffer[];
  readonly toolChoice: 'auto' | 'none' | 'required' | { readonly name: string };
  /** A JSON schema that the answer must follow. */
  readonly answerSchema?: JsonObject;
  /** The request asked to see the model's thinking. */
  readonly thinkingShown: boolean;
  /** What the provider reports as the tier that served this request. */
  readonly serviceTier?: string;
}

/** One event of a stream; the exchange frames it (SSE or element of an array) and counts what it carries. */
export interface StreamEvent {
  readonly name?: string;
  /** A JSON text, or OpenAI's `[DONE]`. */
  readonly data: string;
  /** It carries generated text, so `…-after=N` counts it. */
  readonly content?: boolean;
  /** An event whose only message is that the stream is whole; `no-done` leaves it out. */
  readonly terminal?: boolean;
  /** No event follows. */
  readonly last?: boolean;
  readonly outputTokens?: number;
  readonly reasoningTokens?: number;
  /** The usage object inside `data`, for the truth. */
  readonly usage?: JsonObject;
}

/** A provider's wire format. Implementations hold no state. */
export interface Dialect {
  readonly name: DialectName;
  /** What an image or file in the prompt counts for, in tokens. */
  readonly mediaTokens: number;
  /** The classes of cache writes that its usage can express. */
  readonly cacheWriteLifetimes: readonly ('5m' | '1h')[];
  /** What it says when it has no capacity; the default of an error inside a stream. */
  readonly overloadedStatus: number;
  readonly contentTypes: { readonly json: string; readonly sse: string };
  readonly answerIdPrefix: string;
  /** The credential in the provider's own places; throws its Refusal when it is missing or contains "invalid". */
  readCredential(headers: IncomingHttpHeaders, query: URLSearchParams): string;
  /** Throws a Refusal for what the provider would not take. */
  readPrompt(call: Call): Prompt;
  /** The head of every answer, refusals included. `serviceTier` is what served the request, where it was served. */
  writeHeaders(identity: Identity, serviceTier?: string): OutgoingHttpHeaders;
  writeRefusal(refusal: Refusal, requestId: string): { readonly headers: OutgoingHttpHeaders; readonly body: JsonObject };
  /** An error inside a stream that has already begun. */
  writeErrorEvent(refusal: Refusal, requestId: string): StreamEvent;
  writeAnswer(answer: Answer): { readonly body: JsonObject; readonly usage: JsonObject | null };
  streamAnswer(answer: Answer): Iterable<StreamEvent>;
}

/** Names of one exchange on the wire. `requestId` is the provider's id in headers, `answerId` the one in the body. */
export interface Identity {
  readonly requestId: string;
  readonly answerId: string;
  readonly startedAtMs: number;
}
