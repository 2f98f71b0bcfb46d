import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline, Readable } from 'node:stream';
import { isLifelineProof, lifelineProof } from './lifeline-proof.js';
import type { Truth } from './truth.js';

export interface ControlOptions {
  /** POST /shutdown with this in `x-shutdown-token` calls `onShutdown`; without a token there is no such path. */
  readonly shutdownToken?: string;
  readonly onShutdown?: () => void;
  /** POST /lifeline, which demands and gives a proof of the token; without a token anybody may. */
  readonly onLifeline?: () => void;
}

interface Target {
  readonly path: string;
  readonly query: URLSearchParams;
}

const linesPerPiece = 200;

/** What the simulator answers for itself, beside the providers' paths. */
export class ControlPlane {
  constructor(
    private readonly truth: Truth,
    private readonly options: ControlOptions,
  ) {}

  /** False when the path is not one of these. */
  serve(request: IncomingMessage, response: ServerResponse, { path, query }: Target): boolean {
    switch (`${request.method} ${path}`) {
      case 'GET /health':
        writeJson(response, 200, { status: 'ok' });
        return true;
      case 'GET /truth':
        this.serveTruth(response, query);
        return true;
      case 'GET /truth/last-body':
        this.serveLastBody(response, query.get('tag') ?? '');
        return true;
      case 'POST /lifeline':
        this.serveLifeline(request, response);
        return true;
      case 'POST /shutdown':
        return this.serveShutdown(request, response);
      case 'GET /redirected':
      case 'POST /redirected':
        writeJson(response, 200, { redirected: 'This request followed a redirect of the simulator.' });
        return true;
      default:
        return false;
    }
  }

  private serveTruth(response: ServerResponse, query: URLSearchParams): void {
    const tag = query.get('tag');
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    const lines = this.truth.lines(query.get('since') ?? undefined);
    pipeline(Readable.from(piecesOf(lines, tag), { objectMode: false, highWaterMark: 64 * 1024 }), response, () => undefined);
  }

  private serveLastBody(response: ServerResponse, tag: string): void {
    const body = this.truth.lastBody(tag);
    if (body) response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': body.length }).end(body);
    else writeJson(response, 404, { error: `No request with the tag "${tag}" is remembered.` });
  }

  private serveLifeline(request: IncomingMessage, response: ServerResponse): void {
    const token = this.options.shutdownToken;
    const challenge = headerOf(request, 'x-lifeline-challenge');
    if (token && (challenge === '' || !isLifelineProof(token, challenge, headerOf(request, 'x-lifeline-proof')))) {
      return writeJson(response, 403, { error: 'The header x-lifeline-proof does not show that the caller knows the token of this simulator.' });
    }
    this.options.onLifeline?.();
    if (token) response.setHeader('x-lifeline-proof', lifelineProof(token, 'simulator', challenge));
    writeJson(response, 200, { status: 'ok' });
  }

  private serveShutdown(request: IncomingMessage, response: ServerResponse): boolean {
    const token = this.options.shutdownToken;
    if (!token) return false;
    if (request.headers['x-shutdown-token'] !== token) {
      writeJson(response, 403, { error: 'The header x-shutdown-token does not hold the token of this simulator.' });
      return true;
    }
    response.once('finish', () => this.options.onShutdown?.());
    writeJson(response, 200, { status: 'stopping' });
    return true;
  }
}

function* piecesOf(all: Iterable<string>, tag: string | null): Generator<string> {
  const sought = tag === null ? '' : `"tag":${JSON.stringify(tag)},`;
  let lines: string[] = [];
  for (const line of all) {
    if (!line.includes(sought)) continue;
    lines.push(`${line}\n`);
    if (lines.length < linesPerPiece) continue;
    yield lines.join('');
    lines = [];
  }
  if (lines.length > 0) yield lines.join('');
}

function headerOf(request: IncomingMessage, name: string): string {
  return String(request.headers[name] ?? '');
}

function writeJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
