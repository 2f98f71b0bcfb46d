import type { QuickstartAddresses } from '@tokone/testing';

const LONGEST_MS = 180_000;

/** Opens a stream, and resolves once its first bytes are there. `rest` is all of it; rejects when the connection breaks. */
export async function openStream({ baseUrl, keys }: QuickstartAddresses, prompt: string): Promise<{ rest: Promise<string>; text: () => string }> {
  const answer = await fetch(`${baseUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'authorization': `Bearer ${keys.openai}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'gpt-5.5', stream: true, max_tokens: 2_000, messages: [{ role: 'user', content: prompt }] }),
    signal: AbortSignal.timeout(LONGEST_MS),
  });
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = (await reader?.read())?.value ?? '';
  const rest = (async () => {
    for (let piece = await reader?.read(); piece?.done === false; piece = await reader?.read()) text += piece.value;
    return text;
  })();
  rest.catch(() => undefined);
  return { rest, text: () => text };
}
