/** What a request asks the upstream stand-in for; written into the `user` member of the body. */
export type AnswerKind = 'json' | 'burst' | 'paced';

export interface Workload {
  name: string;
  title: string;
  answer: AnswerKind;
  /** About this many bytes of request body. */
  bodyBytes: number;
  /** Requests that run at a time, one per connection. */
  connections: number;
  /** New requests per second; without it each connection sends as soon as it has its answer. */
  requestsPerSecond?: number;
  /** New requests are sent for so long; those that run are then waited for. */
  sliceMs: number;
  /** What the processor time is divided by. */
  unit: 'request' | 'chunk';
}

/** Events of a stream, its usage event and `[DONE]` not counted. */
export const STREAM_EVENTS = 64;
export const PACE_MS = 20;

export const WORKLOADS: readonly Workload[] = [
  { name: 'small', title: 'small request, whole answer, 32 connections', answer: 'json', bodyBytes: 800, connections: 32, sliceMs: 2_000, unit: 'request' },
  { name: 'burst', title: 'stream of 64 events at once, 16 connections', answer: 'burst', bodyBytes: 800, connections: 16, sliceMs: 2_000, unit: 'request' },
  { name: 'paced', title: 'stream of 64 events at 20 ms, 200 connections', answer: 'paced', bodyBytes: 800, connections: 200, sliceMs: 2_500, unit: 'chunk' },
  { name: 'body-256k', title: 'request of 256 KB, whole answer, 8 connections', answer: 'json', bodyBytes: 262_144, connections: 8, sliceMs: 2_000, unit: 'request' },
  { name: 'body-1m', title: 'request of 1 MB, whole answer, 4 connections', answer: 'json', bodyBytes: 1_048_576, connections: 4, sliceMs: 2_000, unit: 'request' },
  { name: 'calm', title: 'small request, whole answer, 20 requests per second', answer: 'json', bodyBytes: 800, connections: 64, requestsPerSecond: 20, sliceMs: 4_000, unit: 'request' },
];

export function workloadNamed(name: string): Workload {
  const found = WORKLOADS.find((workload) => workload.name === name);
  if (!found) throw new Error(`There is no workload "${name}". Known: ${WORKLOADS.map((workload) => workload.name).join(', ')}.`);
  return found;
}

export const MODEL = 'gpt-4o-mini';
const MESSAGE_BYTES = 4_096;

/** A chat completion request. Text with escapes and several messages, as conversations and pasted files have. */
export function requestBody(workload: Workload): Buffer {
  const streamed = workload.answer !== 'json';
  const messages = [{ role: 'system', content: 'You are terse. Answer in one sentence.' }];
  const frame = () => JSON.stringify({ model: MODEL, user: workload.answer, ...(streamed && { stream: true, stream_options: { include_usage: true } }), max_completion_tokens: 256, temperature: 0.2, messages });
  const sentence = 'The "quick" brown fox\njumps over the lazy dog, and the naïve reader counts to 64. ';
  for (let missing = workload.bodyBytes - frame().length; missing > 64; missing = workload.bodyBytes - Buffer.byteLength(frame())) {
    const bytes = Math.min(missing - 48, MESSAGE_BYTES);
    messages.push({ role: messages.length % 2 === 1 ? 'user' : 'assistant', content: sentence.repeat(Math.ceil(bytes / sentence.length)).slice(0, Math.max(1, Math.floor(bytes * 0.94))) });
  }
  return Buffer.from(frame());
}
