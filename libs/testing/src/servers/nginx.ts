import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { listenOn, closeListener } from './free-ports.js';
import { LocalServer, type OwnedServer } from './owned-server.js';
import { runProgram } from './program-run.js';

/** The second is where Debian has it, which only root finds by name. */
const PROGRAMS = ['nginx', '/usr/sbin/nginx'];
const TIMEOUT_MS = 10_000;
const START_TIMEOUT_MS = 30_000;

export interface NginxOptions {
  /** The caller's, who removes it. */
  folder: string;
  /** A whole nginx.conf that writes nowhere but to this folder. */
  config: string;
  /** Of 127.0.0.1, on which the configuration listens. */
  port: number;
}

/** nginx by its own configuration, after it has said that this is one. @throws with a sentence that says what to install where there is none */
export async function startNginx({ folder, config, port }: NginxOptions): Promise<OwnedServer> {
  const configFile = join(folder, 'nginx.conf');
  await writeFile(configFile, config);
  const args = ['-p', folder, '-c', configFile, '-e', join(folder, 'error.log')];
  const file = await nginxProgram();
  await runProgram(file, [...args, '-t'], { timeoutMs: TIMEOUT_MS });
  const program = { title: 'nginx', file, args: [...args, '-g', 'daemon off;'], env: { PATH: process.env['PATH'] ?? '' }, folder, logFile: join(folder, 'nginx.log') };
  const server = new LocalServer({ program, isReady: () => isTaken(port), startTimeoutMs: START_TIMEOUT_MS });
  await server.start();
  return server;
}

async function nginxProgram(): Promise<string> {
  for (const program of PROGRAMS) if ((await runProgram(program, ['-v'], { timeoutMs: TIMEOUT_MS })) !== undefined) return program;
  throw new Error('There is no nginx on this machine: install it (apt-get install nginx-light).');
}

/** Somebody listens on it. */
async function isTaken(port: number): Promise<boolean> {
  const listener = await listenOn(port);
  if (listener) await closeListener(listener);
  return listener === undefined;
}
