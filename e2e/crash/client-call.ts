import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { Message, WireDialect } from './wire-dialect.js';

export interface CallPlan {
  dialect: WireDialect;
  streamed: boolean;
  /** The simulator's directives, without its brackets. */
  directives: string;
  /** Of this call alone: it links the call with the truth. */
  tag: string;
  /** Of this call alone: it links the call with its usage row, even when no answer named the request id. */
  requestBytes: number;
  /** Most tokens that the provider sends before it notices that nobody reads. */
  unreadTokens: number;
  key: string;
  baseUrl: string;
}

const BYTES_PER_TOKEN = 4;
const CALL_DEADLINE_MS = 120_000;

/** One request of a client that writes down what it saw: nothing but a socket between it and TokOne. */
export class ClientCall {
  requestId: string | undefined;
  status: number | undefined;
  /** Seconds, where the answer names them. */
  retryAfter: string | undefined;
  bytes = 0;
  /** How it ended: `clean` by HTTP's own end, `broken` by a lost connection. Undefined while it runs. */
  ended: 'clean' | 'broken' | undefined;
  /** A whole JSON body, or the dialect's terminal event (Gemini: with a clean end behind it). */
  sawEnd = false;
  sawError = false;
  /** The body of a refusal, for whoever has to say why. */
  refusal: string | undefined;
  /** It ended after its load was told to stop. */
  endedWhileStopping = false;
  /** Tokens of text that arrived, by the simulator's measure of four bytes. */
  tokens = 0;
  /** Of the process's clock, milliseconds. */
  startedAtMs = 0;
  /** Its head arrived. */
  beganAtMs = Infinity;
  endedAtMs = Infinity;
  private text = '';

  constructor(readonly plan: CallPlan) {}

  get running(): boolean {
    return this.ended === undefined;
  }

  /** Resolves when the call is over, however. */
  run(): Promise<void> {
    const { plan } = this;
    const body = writeBody(plan);
    const [keyName, key] = plan.dialect.keyHeader(plan.key);
    this.startedAtMs = performance.now();
    return new Promise((resolve) => {
      const over = (ended: 'clean' | 'broken'): void => {
        if (this.ended !== undefined) return;
        this.ended = ended;
        this.endedAtMs = performance.now();
        this.judge();
        resolve();
      };
      const headers = { 'content-type': 'application/json', 'content-length': body.length, [keyName]: key };
      const sent = request(new URL(plan.dialect.path(plan.streamed), plan.baseUrl), { method: 'POST', agent: false, headers, signal: AbortSignal.timeout(CALL_DEADLINE_MS) });
      sent.on('response', (answer) => this.read(answer, over));
      sent.on('error', () => over('broken'));
      sent.on('close', () => over('broken'));
      sent.end(body);
    });
  }

  private read(answer: IncomingMessage, over: (ended: 'clean' | 'broken') => void): void {
    this.beganAtMs = performance.now();
    this.status = answer.statusCode;
    this.requestId = answer.headers['x-request-id'] as string | undefined;
    this.retryAfter = answer.headers['retry-after'];
    answer.setEncoding('utf8');
    answer.on('data', (text: string) => {
      this.bytes += Buffer.byteLength(text);
      this.text += text;
    });
    answer.on('end', () => over(answer.complete ? 'clean' : 'broken'));
    answer.on('error', () => over('broken'));
  }

  private judge(): void {
    const { dialect, streamed } = this.plan;
    const text = this.text;
    this.text = '';
    if (!streamed || this.status !== 200) {
      const message = parse(text);
      if (this.status !== 200) this.refusal = text.slice(0, 300);
      this.sawError = message?.error !== undefined;
      this.sawEnd = this.status === 200 && message !== undefined;
      if (message) this.tokens = tokensOf(dialect.textOf(message));
      return;
    }
    let seen = '';
    for (const line of text.split('\n')) {
      if (!line.startsWith('data: ')) continue;
      const data = line.slice('data: '.length);
      const message = parse(data);
      this.sawError ||= message?.error !== undefined;
      this.sawEnd ||= dialect.isTerminal(data, message);
      if (message) seen += dialect.textOf(message);
    }
    if (dialect.name === 'gemini') this.sawEnd &&= this.ended === 'clean';
    this.tokens = tokensOf(seen);
  }
}

function tokensOf(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN);
}

function writeBody({ dialect, streamed, directives, tag, requestBytes }: CallPlan): Buffer {
  const prompt = `[[sim: ${directives} tag=${tag}]] `;
  const bare = JSON.stringify(dialect.body(prompt, streamed)).length;
  if (bare > requestBytes) throw new Error(`a body of ${requestBytes} bytes has no room for ${bare}`);
  return Buffer.from(JSON.stringify(dialect.body(prompt + 'x'.repeat(requestBytes - bare), streamed)));
}

/** Undefined for what is no whole JSON object. */
function parse(text: string): Message | undefined {
  try {
    return JSON.parse(text) as Message;
  } catch {
    return undefined;
  }
}
