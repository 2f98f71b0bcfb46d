import { request } from 'node:http';
import type { Agent, IncomingHttpHeaders, IncomingMessage } from 'node:http';

export interface RawCall {
  url: string;
  headers: Readonly<Record<string, string>>;
  body: unknown;
  agent?: Agent;
  /** Called with each piece of the body as it arrives. */
  onBytes?: (bytes: Buffer) => void;
  /** Aborting it makes the client leave. */
  signal?: AbortSignal;
}

export interface RawAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  text: string;
  /** The framing of HTTP was ended as it should be: the last chunk came, or all bytes of the length. */
  cleanEnd: boolean;
}

/** One POST without any SDK: sees whether the answer was ended cleanly, which SDKs hide. Rejects when there was no head. */
export async function callRaw({ url, headers, body, agent, onBytes, signal }: RawCall): Promise<RawAnswer> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request(url, { method: 'POST', agent: agent ?? false, signal, headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...headers } }, resolve);
    sent.on('error', reject).end(text);
  });
  const pieces: Buffer[] = [];
  await new Promise<void>((resolve) => {
    response.on('data', (piece: Buffer) => {
      pieces.push(piece);
      onBytes?.(piece);
    });
    response.on('error', () => undefined).on('close', resolve);
  });
  const whole = Buffer.concat(pieces);
  return { status: response.statusCode ?? 0, headers: response.headers, body: whole, text: whole.toString(), cleanEnd: response.complete };
}
