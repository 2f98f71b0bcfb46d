import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ControlPlane, type ControlOptions } from './control-plane.js';
import { Generation, identityOf, writeRefusal } from './generation.js';
import { writeModel, writeModelList } from './models.js';
import { Refusal } from './refusal.js';
import { dialectOfHeaders, generationRouteOf, modelRouteOf, type ModelRoute } from './routes.js';
import { Truth, type TruthRecord } from './truth.js';

export interface SimulatorOptions extends ControlOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** Wait between two events with text; default 5. */
  readonly chunkDelayMs?: number;
  /** Tokens in such an event; default 4. */
  readonly chunkTokens?: number;
  /** Requests whose truth is kept, the newest ones; default 200,000. */
  readonly truthCapacity?: number;
  /** Larger request bodies are 413; default 32 MiB. */
  readonly largestBodyBytes?: number;
  readonly now?: () => number;
}

export interface Simulator {
  /** `http://host:port`, without a path. */
  readonly url: string;
  /** The records that GET /truth would give, oldest first. */
  truth(since?: string): TruthRecord[];
  /** Ends every connection and frees the port. */
  close(): Promise<void>;
}

/** Starts a simulator of the three providers. It lives until `close`. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const now = options.now ?? Date.now;
  const truth = new Truth(options.truthCapacity ?? 200_000, now().toString(36));
  const pace = { chunkDelayMs: options.chunkDelayMs ?? 5, chunkTokens: options.chunkTokens ?? 4 };
  const handler = new Handler({
    control: new ControlPlane(truth, options),
    generation: new Generation(truth, pace, now),
    largestBodyBytes: options.largestBodyBytes ?? 32 * 1024 * 1024,
    now,
  });
  // A gateway's pool keeps idle connections for long; closing them first would race with its next request.
  const server = createServer({ keepAliveTimeout: 120_000, requestTimeout: 0 }, (request, response) => handler.handle(request, response));
  const host = options.host ?? '127.0.0.1';
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    truth: (since) => Array.from(truth.lines(since), (line) => JSON.parse(line) as TruthRecord),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface HandlerParts {
  readonly control: ControlPlane;
  readonly generation: Generation;
  readonly largestBodyBytes: number;
  readonly now: () => number;
}

class Handler {
  constructor(private readonly parts: HandlerParts) {}

  handle(request: IncomingMessage, response: ServerResponse): void {
    const [path = '/', search = ''] = (request.url ?? '/').split('?', 2);
    const route = generationRouteOf(path);
    if (route && request.method === 'POST') {
      this.readBody(request, response, (body) => {
        const query = new URLSearchParams(search);
        this.parts.generation.serve({ request, response, route, query, body }).catch((error: unknown) => fail(response, error));
      });
      return;
    }
    if (this.parts.control.serve(request, response, { path, query: new URLSearchParams(search) })) return;
    const models = request.method === 'GET' ? modelRouteOf(path, request.headers) : undefined;
    if (models) return this.serveModels(request, response, models);
    const dialect = route?.dialect ?? dialectOfHeaders(request.headers);
    const refusal = route
      ? new Refusal(405, `Not allowed to ${request.method} on ${path}`)
      : new Refusal(404, `Invalid URL (${request.method} ${path})`, dialect.name === 'openai-chat' ? { code: 'unknown_url' } : {});
    writeRefusal(response, dialect, { refusal, identity: identityOf(dialect, this.parts.now()) });
  }

  private serveModels(request: IncomingMessage, response: ServerResponse, { dialect, model }: ModelRoute): void {
    const identity = identityOf(dialect, this.parts.now());
    try {
      dialect.readCredential(request.headers, new URLSearchParams(request.url?.split('?', 2)[1]));
      const body = model === undefined ? writeModelList(dialect.name) : writeModel(dialect.name, model);
      response.writeHead(200, { ...dialect.writeHeaders(identity), 'content-type': dialect.contentTypes.json });
      response.end(JSON.stringify(body));
    } catch (error) {
      if (!(error instanceof Refusal)) return fail(response, error);
      writeRefusal(response, dialect, { refusal: error, identity });
    }
  }

  /** A client that leaves while it sends is not an accepted request: nothing is called. */
  private readBody(request: IncomingMessage, response: ServerResponse, onBody: (body: Buffer) => void): void {
    const pieces: Buffer[] = [];
    let length = 0;
    let refused = false;
    request.on('data', (piece: Buffer) => {
      length += piece.length;
      if (length <= this.parts.largestBodyBytes) pieces.push(piece);
      else if (!refused) {
        refused = true;
        pieces.length = 0;
        this.refuseLargeBody(request, response);
      }
    });
    request.on('error', () => undefined);
    request.on('end', () => {
      if (!refused) onBody(pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces, length));
    });
  }

  private refuseLargeBody(request: IncomingMessage, response: ServerResponse): void {
    const dialect = generationRouteOf(request.url?.split('?', 1)[0] ?? '')?.dialect ?? dialectOfHeaders(request.headers);
    response.setHeader('connection', 'close');
    writeRefusal(response, dialect, { refusal: new Refusal(413), identity: identityOf(dialect, this.parts.now()) });
  }
}

/** A mistake of the simulator itself must be loud in the test that met it. */
function fail(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.writeHead(500, { 'content-type': 'text/plain' }).end(`The simulator failed: ${error instanceof Error ? error.stack : String(error)}`);
}
