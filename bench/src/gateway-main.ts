// The gateway alone: the real front, intake, exchange, adapters, admission and spool, with everything on. Directory,
// prices and ledger are stand-ins in memory, because they have no part in the hot path.
import { mkdirSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { ProviderAdapter } from '@tokone/adapter-kit';
import { MemoryAdmission } from '@tokone/admission';
import { anthropicProvider } from '@tokone/anthropic-provider';
import { Gateway } from '@tokone/gateway';
import { geminiProvider } from '@tokone/gemini-provider';
import { UndiciUpstreamClient } from '@tokone/http';
import { openaiProvider } from '@tokone/openai-provider';
import { Uuid7Source } from '@tokone/protocol';
import { Spool } from '@tokone/spool';
import { RegistryGatewayMetrics, RegistryUpstreamMetrics, ServiceMetrics, createLogger, startTracing } from '@tokone/telemetry';
import { BALANCE_NANO_USD, LedgerStandIn, accountDirectory, priceBook, upstreamDirectory, usageQuery } from './stand-ins.js';

const [upstreamUrl = '', folder = '', watched = 'bare', endpoint, ratio = '0'] = process.argv.slice(2);
const now = () => Date.now();
const logger = createLogger('bench', 'warn');

mkdirSync(folder, { recursive: true });
const spool = await Spool.open({ folder, now, onAlarm: (alarm) => logger.error({ ...alarm }, 'alarm: spool') });
const admission = new MemoryAdmission({ balances: { read: () => Promise.resolve({ seq: 1n, balanceNanoUsd: BALANCE_NANO_USD }) }, now });
let lostSpans = 0;
const tracing = await startTracing({ service: 'gateway', endpoint, protocol: 'http/protobuf', sampler: 'parentbased_traceidratio', ratio: Number(ratio), logger, onLost: (spans) => void (lostSpans += spans) });
const metrics = watched === 'metrics' ? new ServiceMetrics(['gateway', 'adapter']) : undefined;
const client = new UndiciUpstreamClient({ connectionsPerOrigin: 16_384, connectTimeoutMs: 5_000 });
const adapterOptions = { tracing, upstreams: upstreamDirectory(upstreamUrl), client, now, answerTimeoutMs: 600_000, streamTimeoutMs: 120_000, idleTimeoutMs: 120_000 };
const gateway = new Gateway(
  {
    accounts: accountDirectory,
    balances: { balanceOf: () => Promise.resolve(BALANCE_NANO_USD) },
    admission,
    prices: priceBook,
    usage: usageQuery,
    adapters: new Map([openaiProvider, anthropicProvider, geminiProvider].map((provider) => [provider.platform, new ProviderAdapter({ ...adapterOptions, provider, ...(metrics && { metrics: new RegistryUpstreamMetrics(metrics, provider.platform) }) })])),
    spool,
    ids: new Uuid7Source(now),
    logger,
    now,
    monotonicNow: () => performance.now(),
  },
  { pepper: Buffer.alloc(32, 7), tracing, ...(metrics && { metrics: new RegistryGatewayMetrics(metrics) }) },
);
const ledger = new LedgerStandIn(admission, spool);
await gateway.recover();
await gateway.open();
const server = gateway.createServer((_request, response) => response.writeHead(404).end());
server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => process.send?.({ port: (server.address() as AddressInfo).port }));

process.on('message', () => process.send?.({ charged: ledger.charged, lostSpans, open: spool.openRequests + admission.outstanding().held + admission.outstanding().settled }));
process.on('disconnect', () => process.exit(0));
process.on('SIGTERM', () => process.exit(0));
