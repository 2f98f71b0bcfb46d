import { createServer, request as send } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One call as it crossed the wire between gateway and provider, in both directions. */
export interface RecordedCall {
  path: string;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
  answerHeaders: Record<string, string | string[] | undefined>;
  /** All bytes of the answer's body that came from the provider. */
  answer: Buffer;
}

/** Stands between a gateway and the simulator, passes everything on as it comes, and keeps a copy. */
export class Recorder {
  readonly calls: RecordedCall[] = [];
  private readonly server: Server;

  private constructor(private readonly target: string) {
    this.server = createServer((request, response) => void this.pass(request, response));
  }

  static async start(target: string): Promise<Recorder> {
    const recorder = new Recorder(target);
    await new Promise<void>((resolve) => recorder.server.listen(0, '127.0.0.1', resolve));
    return recorder;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** The one call whose prompt has this tag. */
  call(tag: string): RecordedCall {
    const found = this.calls.filter(({ body }) => body.includes(`tag=${tag}`));
    if (found.length !== 1 || !found[0]) throw new Error(`${found.length} calls with the tag ${tag} were recorded`);
    return found[0];
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }

  private async pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readAll(request);
    const call: RecordedCall = { path: request.url ?? '', headers: request.headers, body, answerHeaders: {}, answer: Buffer.alloc(0) };
    this.calls.push(call);
    const onward = send(new URL(call.path, this.target), { method: request.method, headers: request.rawHeaders }, (answer) => {
      call.answerHeaders = answer.headers;
      response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.on('data', (chunk: Buffer) => {
        call.answer = Buffer.concat([call.answer, chunk]);
        response.write(chunk);
      });
      answer.on('end', () => response.end());
      answer.on('error', () => response.destroy());
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    onward.end(body);
  }
}

/** The bytes of a message's body, without its framing. */
async function readAll(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
