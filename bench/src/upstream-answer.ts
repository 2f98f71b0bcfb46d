import { MODEL, STREAM_EVENTS } from './workload.js';

const usage = {
  prompt_tokens: 180,
  completion_tokens: STREAM_EVENTS,
  total_tokens: 180 + STREAM_EVENTS,
  prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
};
const frame = { id: 'chatcmpl-bench', created: 1_764_547_200, model: MODEL, system_fingerprint: 'fp_bench' };

/** Where an event of a paced stream carries the time at which it was sent: 16 digits of microseconds. */
export const SENT_AT = '"sent_at":"';
export const SENT_AT_DIGITS = 16;

export const jsonBody = Buffer.from(
  JSON.stringify({
    ...frame,
    object: 'chat.completion',
    choices: [{ index: 0, message: { role: 'assistant', content: 'The same answer every time, '.repeat(4), refusal: null }, logprobs: null, finish_reason: 'stop' }],
    usage,
    service_tier: 'default',
  }),
);

export const events: readonly Buffer[] = Array.from({ length: STREAM_EVENTS }, (_, index) => {
  const delta = index === 0 ? { role: 'assistant', content: 'tok ' } : { content: 'tok ' };
  const choices = [{ index: 0, delta, logprobs: null, finish_reason: index === STREAM_EVENTS - 1 ? 'stop' : null }];
  return Buffer.from(`data: ${JSON.stringify({ ...frame, object: 'chat.completion.chunk', sent_at: '0'.repeat(SENT_AT_DIGITS), choices, usage: null })}\n\n`);
});

export const ending = Buffer.from(`data: ${JSON.stringify({ ...frame, object: 'chat.completion.chunk', choices: [], usage })}\n\ndata: [DONE]\n\n`);

/** Payload of a whole stream, which a relay must not change. */
export const streamBytes = events.reduce((sum, event) => sum + event.length, ending.length);

/** The last bytes of any stream. */
export const DONE = 'data: [DONE]\n\n';

/** Microseconds of a clock that all processes of the machine share. */
export function sharedMicroseconds(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000_000 + Math.floor(nanoseconds / 1_000);
}
