import { createServer, request as send } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Where a prompt asks for it, the provider repeats everything it was sent: credential, headers and body. */
export const ECHOES = ['status-400', 'status-401', 'status-429', 'status-500', 'error-event', 'cut', 'no-http', 'bad-header', 'encoding'] as const;
export type Echo = (typeof ECHOES)[number];

/** What must stand in a prompt. */
export const echoed = (echo: Echo): string => `[echo ${echo}]`;

/** A provider that repeats what it was sent in whatever way a broken one might; all else it passes on to the simulator. */
export class TalkativeProvider {
  private readonly server: Server;
  /** Answers that repeated something. */
  echoes = 0;

  /** `target`: where the rest goes. */
  private constructor(public target: string) {
    this.server = createServer((request, response) => void this.take(request, response));
  }

  static async start(target: string): Promise<TalkativeProvider> {
    const provider = new TalkativeProvider(target);
    await new Promise<void>((resolve) => provider.server.listen(0, '127.0.0.1', resolve));
    return provider;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const echo = ECHOES.find((each) => body.includes(echoed(each)));
    if (echo === undefined) return this.passOn(request, response, body);
    this.echoes++;
    const said = `${JSON.stringify(request.headers)} ${body.toString()}`;
    const error = JSON.stringify({ error: { message: said, type: said.slice(0, 500), code: said.slice(0, 500) } });
    if (echo.startsWith('status-')) return void response.writeHead(Number(echo.slice(7)), { 'content-type': 'application/json', 'x-request-id': 'talkative' }).end(error);
    if (echo === 'error-event') return void response.writeHead(200, { 'content-type': 'text/event-stream' }).end(`data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: ${error}\n\n`);
    if (echo === 'cut') return void response.writeHead(200, { 'content-type': 'application/json', 'content-length': String(error.length * 2) }).write(error, () => response.destroy());
    if (echo === 'encoding') return void response.writeHead(200, { 'content-encoding': JSON.stringify(request.headers.authorization) }).end(error);
    // What is no HTTP at all meets the parser of the client.
    const line = echo === 'no-http' ? said : `HTTP/1.1 200 OK\r\n${said.replaceAll(/[\r\n]/g, ' ')}\u0000\r\n\r\n`;
    request.socket.end(line);
  }

  private passOn(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
    const onward = send(new URL(request.url ?? '', this.target), { method: request.method, headers: request.rawHeaders }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.on('error', () => response.destroy()).pipe(response);
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    onward.end(body);
  }
}
