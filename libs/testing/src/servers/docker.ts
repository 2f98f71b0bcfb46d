import { request } from 'node:http';

const ENGINE_SOCKET = '/var/run/docker.sock';
const PING_TIMEOUT_MS = 2_000;

export interface ServerSources<Server> {
  /** Undefined where a container does not serve the purpose. */
  docker: (() => Promise<Server>) | undefined;
  machine: () => Promise<Server>;
}

/** In a container when a Docker engine answers and has the image, else from this machine. */
export async function startFirst<Server>(title: string, { docker, machine }: ServerSources<Server>): Promise<Server> {
  if (docker === undefined || !(await dockerAnswers())) return machine();
  try {
    return await docker();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${title} does not start in a container (${reason}); trying this machine's own.\n`);
    return machine();
  }
}

/** Where `DOCKER_HOST` says, else at the usual socket. Cheap where there is none, unlike loading the client. */
export async function dockerAnswers(host = process.env['DOCKER_HOST'] ?? `unix://${ENGINE_SOCKET}`): Promise<boolean> {
  const { protocol, hostname, port, pathname } = new URL(host);
  const where = protocol === 'unix:' ? { socketPath: pathname } : { host: hostname, port };
  return new Promise((resolve) => {
    const ping = request({ ...where, path: '/_ping', timeout: PING_TIMEOUT_MS }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    ping.once('timeout', () => ping.destroy(new Error('late')));
    ping.once('error', () => resolve(false));
    ping.end();
  });
}
