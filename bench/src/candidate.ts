import { fork, spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { StandaloneProcess, waitFor } from '@tokone/testing';
import type { Product } from '@tokone/testing';
import type { WatchedProcess } from './processor-meter.js';
import { processTree } from './process-tree.js';

/** Something that relays requests and is measured. */
export interface Candidate {
  name: 'nginx' | 'alone' | 'in all' | 'one process' | 'two processes' | 'two gateways' | 'bare' | 'metrics' | '1 %' | '100 %';
  /** The processor time of their whole trees counts. Where there are several, each is shown by itself as well. */
  processes: readonly WatchedProcess[];
  /** What it needs besides: counted apart. */
  behind: readonly WatchedProcess[];
  /** The one that does the work. */
  memoryProcessId: number;
  port: number;
  key: string;
  /** Waits until nothing is left to do of what it has answered, so that all its processor time has been spent. */
  settled(): Promise<void>;
  /** Requests that it has charged so far; undefined for a relay that charges nobody. */
  charged(): Promise<number | undefined>;
  /** Spans that its receiver did not take in time. */
  lostSpans?: () => Promise<number>;
  stop(): Promise<void>;
}

export interface CandidateOptions {
  upstreamPort: number;
  /** For its files; removed by the caller. */
  folder: string;
  /** Further options of node for what is ours: a profile. */
  nodeOptions: readonly string[];
}

const START_DEADLINE_MS = 30_000;
const SETTLE_DEADLINE_MS = 120_000;

/** A forked program of ours that tells its port; it ends with us. */
export async function startProgram(file: string, args: readonly string[] = [], nodeOptions: readonly string[] = []): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), args, { execArgv: [...nodeOptions] });
  const signal = AbortSignal.timeout(START_DEADLINE_MS);
  const [message] = (await Promise.race([once(child, 'message', { signal }), once(child, 'exit', { signal }).then(() => Promise.reject(new Error(`${file} ended before it listened`)))])) as [{ port: number }];
  return { child, port: message.port };
}

export async function stopProgram(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

/** The physical limit: a relay that checks, meters and charges nothing. Undefined where nginx is not installed. */
export async function startNginx({ upstreamPort, folder }: CandidateOptions): Promise<Candidate | undefined> {
  if (spawnSync('nginx', ['-v']).error) return undefined;
  const home = join(folder, 'nginx');
  mkdirSync(home);
  const port = await freePort();
  const configPath = join(home, 'nginx.conf');
  writeFileSync(configPath, nginxConfig(home, port, upstreamPort));
  const child = spawn('nginx', ['-p', home, '-c', configPath, '-e', join(home, 'error.log')], { stdio: 'inherit' });
  await waitFor(() => answers(port), { what: 'nginx to listen', deadlineMs: START_DEADLINE_MS });
  const processId = child.pid ?? 0;
  return { name: 'nginx', processes: [{ label: 'nginx', processId }], behind: [], memoryProcessId: processTree(processId).at(-1) ?? processId, port, key: 'sk-bench', settled: () => Promise.resolve(), charged: () => Promise.resolve(undefined), stop: () => stopProgram(child) };
}

/** Bodies and answers are passed on as they come, which is what costs nginx least and delays an event least. */
function nginxConfig(home: string, port: number, upstreamPort: number): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${home}/${name};`).join(' ');
  return `daemon off; worker_processes 1; pid ${home}/nginx.pid;
events { worker_connections 8192; }
http {
  access_log off; keepalive_requests 1000000000; client_max_body_size 64m; ${temporary}
  upstream provider { server 127.0.0.1:${upstreamPort}; keepalive 512; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / { proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; proxy_request_buffering off; }
  }
}
`;
}

/** Where the spans of a gateway go, and of which share of its requests. */
export interface Watched {
  /** Counted as the service does it. */
  metrics?: boolean;
  /** Where spans go, and of how many requests: a share of 1. */
  traces?: { endpoint: string; ratio: number };
}

/** Gateway, adapters, admission and spool, without billing and ledger. */
export async function startAlone({ upstreamPort, folder, nodeOptions }: CandidateOptions, name: Candidate['name'] = 'alone', { metrics = false, traces }: Watched = {}): Promise<Candidate> {
  const spoolFolder = join(folder, `spool-${name.replace(/\W/g, '')}`);
  const { child, port } = await startProgram('./gateway-main.js', [`http://127.0.0.1:${upstreamPort}`, spoolFolder, metrics ? 'metrics' : 'bare', ...(traces ? [traces.endpoint, String(traces.ratio)] : [])], nodeOptions);
  const ask = async () => {
    const answer = once(child, 'message', { signal: AbortSignal.timeout(START_DEADLINE_MS) });
    child.send('status');
    return ((await answer) as [{ charged: number; open: number; lostSpans: number }])[0];
  };
  const settled = async () => {
    await waitFor(async () => (await ask()).open === 0, { what: 'the gateway to close its requests', deadlineMs: SETTLE_DEADLINE_MS });
  };
  const processId = child.pid ?? 0;
  return { name, processes: [{ label: 'gateway', processId }], behind: [], memoryProcessId: processId, port, key: 'sk-bench', settled, charged: async () => (await ask()).charged, lostSpans: async () => (await ask()).lostSpans, stop: () => stopProgram(child) };
}

/** The product as `npm start` runs it: with PostgreSQL, billing and ledger. */
export async function startInAll({ upstreamPort, folder, nodeOptions }: CandidateOptions): Promise<Candidate> {
  const upstreamUrl = `http://127.0.0.1:${upstreamPort}`;
  const standalone = await StandaloneProcess.start({ dataFolder: join(folder, 'data'), env: { TOKONE_OPENAI_UPSTREAM_URL: upstreamUrl, LOG_LEVEL: 'warn', ...(nodeOptions.length > 0 && { NODE_OPTIONS: nodeOptions.join(' ') }) } });
  const stop = async () => {
    const code = await standalone.stop();
    if (code !== 0) throw new Error(`the standalone ended with status ${code}: ${standalone.program.stderr}`);
  };
  const { processId } = standalone.program;
  return { name: 'in all', processes: [{ label: 'standalone', processId }], behind: [], memoryProcessId: processId, ...(await paidBy(standalone)), stop };
}

/** What a candidate that is the product tells: its address, a key with a balance, and what it has charged. */
export async function paidBy(product: Product): Promise<Pick<Candidate, 'port' | 'key' | 'settled' | 'charged'>> {
  const { key } = await product.tenant('1000000', 'openai');
  const isSettled = async () => {
    const { held, settled } = await product.holds();
    return held + settled === 0;
  };
  const charged = async () => {
    const answer = await fetch(`${product.addresses.baseUrl}/v1/usage`, { headers: { authorization: `Bearer ${key}` }, signal: AbortSignal.timeout(30_000) });
    const { usage } = (await answer.json()) as { usage: { total: { requests: number } } };
    return usage.total.requests;
  };
  return {
    port: Number(new URL(product.addresses.baseUrl).port),
    key,
    settled: async () => void (await waitFor(isSettled, { what: 'the ledger to post every charge', deadlineMs: SETTLE_DEADLINE_MS, intervalMs: 100 })),
    charged,
  };
}

/** nginx cannot choose a port by itself. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}
