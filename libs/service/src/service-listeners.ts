import type { RequestListener, Server } from 'node:http';
import { NestFactory } from '@nestjs/core';
import type { DynamicModule } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { listen, urlOf } from './listener.js';
import type { ListenerAddress } from './listener.js';
import type { OpenedParts } from './opened-parts.js';

export interface ListenerOptions {
  /** For the log of what could not be closed: `internal listener`. */
  name: string;
  address: ListenerAddress;
  modules: DynamicModule[];
  /** A server of one's own in front of the framework, which gets what falls through. It answers what is no request, too. */
  server?: (fallThrough: RequestListener) => Server;
  /** Before all else: clients are sent elsewhere. New connections are still taken meanwhile. */
  leave?: () => Promise<void>;
  /** Before the listener closes: what runs may end. New connections are refused meanwhile. */
  drain?: () => Promise<void>;
  /** Largest body of a request that the framework takes. */
  bodyLimitBytes?: number;
}

class ListenerRoot {}

const BODY_LIMIT_BYTES = 16 * 1024 * 1024;
/** For answers that are still being written when the drain is over. */
const CLOSE_GRACE_MS = 2_000;

/** Opens the HTTP listeners of a service; each is closed again with the service's other parts. */
export class ServiceListeners {
  constructor(private readonly parts: OpenedParts) {}

  /** Resolves with the URL that this machine reaches it by. @throws StartupError when the address cannot be had. */
  async open(options: ListenerOptions): Promise<{ url: string; port: number; app: NestFastifyApplication }> {
    const { address } = options;
    let own: Server | undefined;
    const { server } = options;
    const adapter = new FastifyAdapter({
      logger: false,
      bodyLimit: options.bodyLimitBytes ?? BODY_LIMIT_BYTES,
      ...(server && { serverFactory: (handler: RequestListener) => (own = server(handler)), clientErrorHandler: () => undefined }),
    });
    const app = await NestFactory.create<NestFastifyApplication>({ module: ListenerRoot, imports: options.modules }, adapter, { logger: false, abortOnError: false });
    await app.init();
    await adapter.getInstance().ready();
    const listening = own ?? (app.getHttpServer() as Server);
    const port = await listen(listening, address);
    this.parts.add(options.name, app, () => closeListener(app, listening, options));
    return { url: urlOf(address.host, port), port, app };
  }
}

/** Closes a listener and its application: after `leave`, new connections are refused, `drain` may end what runs, and what is then still being written gets a moment. */
export async function closeListener(app: NestFastifyApplication, server: Server, { leave, drain }: Pick<ListenerOptions, 'leave' | 'drain'> = {}): Promise<void> {
  await leave?.();
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeIdleConnections();
  await drain?.();
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
  await closed;
  clearTimeout(timer);
  await app.close();
}
