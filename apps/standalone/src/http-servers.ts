import { rm } from 'node:fs/promises';
import type { RequestListener, Server } from 'node:http';
import { join } from 'node:path';
import { Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { AccountModule, ManagementErrorFilter } from '@tokone/account';
import type { AccountModuleOptions } from '@tokone/account';
import { GatewayModule, GatewayStatusModule } from '@tokone/gateway';
import type { Gateway } from '@tokone/gateway';
import { MetricsModule, closeListener, listen, urlOf, writePrivateFile } from '@tokone/service';
import type { OpenedParts } from '@tokone/service';
import type { MetricRegistry } from '@tokone/telemetry';

@Module({})
class ManagementRoot {}

@Module({})
class PublicRoot {}

/** The operator's token goes over it in the clear. */
const MANAGEMENT_HOST = '127.0.0.1';

export interface ManagementOptions extends AccountModuleOptions {
  dataFolder: string;
  parts: OpenedParts;
  gateway: Gateway;
  metrics: MetricRegistry;
  /** 0: a free one. */
  port: number;
  holds: () => { held: number; settled: number; heldNanoUsd: bigint };
}

/** Management API, health and metrics: on loopback, for the operator's command line, which finds it by operator.json, and for Prometheus. */
export async function startManagement({ dataFolder, parts, gateway, metrics, port, holds, ...options }: ManagementOptions): Promise<void> {
  const imports = [AccountModule.with(options), GatewayStatusModule.with(gateway, holds), MetricsModule.with(metrics)];
  const adapter = new FastifyAdapter({ logger: false });
  const app = await createApp({ module: ManagementRoot, imports }, adapter);
  app.useGlobalFilters(app.get(ManagementErrorFilter, { strict: false }));
  await app.init();
  await adapter.getInstance().ready();
  const address = { host: MANAGEMENT_HOST, port, settings: { host: 'MANAGEMENT_HOST', port: 'MANAGEMENT_PORT' } };
  const server = app.getHttpServer() as Server;
  const takenPort = await listen(server, address);
  parts.add('management API', app, (opened) => closeListener(opened, server));
  const notePath = join(dataFolder, 'operator.json');
  const note = { url: urlOf(MANAGEMENT_HOST, takenPort), token: options.operatorToken };
  await writePrivateFile(notePath, `${JSON.stringify(note)}\n`);
  // A note that stays would send the operator's token to whoever takes the port next.
  parts.add('operator.json', notePath, (path) => rm(path, { force: true }));
}

export interface PublicApiOptions {
  gateway: Gateway;
  host: string;
  port: number;
  drainMs: number;
  parts: OpenedParts;
}

/** The public API on one port: inference before the framework, the rest through it. Closing it drains. */
export async function startPublicApi({ gateway, host, port, drainMs, parts }: PublicApiOptions): Promise<{ baseUrl: string }> {
  let server: Server | undefined;
  const serverFactory = (handler: RequestListener) => (server = gateway.createServer(handler));
  // Our server answers what is no request itself.
  const adapter = new FastifyAdapter({ logger: false, bodyLimit: 65_536, serverFactory, clientErrorHandler: () => undefined });
  const app = await createApp({ module: PublicRoot, imports: [GatewayModule.with(gateway)] }, adapter);
  await app.init();
  await adapter.getInstance().ready();
  if (!server) throw new Error('the framework made no server');
  const listening = server;
  const takenPort = await listen(listening, { host, port });
  parts.add('public API', app, (opened) => closeListener(opened, listening, { drain: () => gateway.drain(drainMs) }));
  return { baseUrl: urlOf(host, takenPort) };
}

function createApp(module: DynamicModule, adapter: FastifyAdapter): Promise<NestFastifyApplication> {
  return NestFactory.create<NestFastifyApplication>(module, adapter, { logger: false, abortOnError: false });
}
