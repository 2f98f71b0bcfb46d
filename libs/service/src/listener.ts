import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { StartupError } from '@tokone/persistence';

/** Listens, or says in a sentence why that is not possible. Returns the port. */
export function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(explain(error, host, port)));
    server.listen({ host, port, backlog: 4096 }, () => resolve((server.address() as AddressInfo).port));
  });
}

/** Finds out before anything is made what `listen` would refuse at the end of a start. */
export async function checkAddress(host: string, port: number): Promise<void> {
  const probe = createServer();
  await listen(probe, host, port);
  await new Promise((resolve) => probe.close(resolve));
}

/** A host as it stands in a URL that this machine can open: not every client takes an address that means all of them. */
export function urlOf(host: string, port: number): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

function explain(error: NodeJS.ErrnoException, host: string, port: number): Error {
  switch (error.code) {
    case 'EADDRINUSE':
      return new StartupError(`Port ${port} on ${host} is in use. Stop the other program, or choose another port: PORT=8090 npm start`);
    case 'EACCES':
      return new StartupError(`Port ${port} is not open to this user. Choose one above 1023: PORT=8080 npm start`);
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
    case 'EAI_AGAIN':
    case 'EINVAL':
    case 'ENOTFOUND':
      return new StartupError(`HOST=${host} is no address of this machine. Use 127.0.0.1, 0.0.0.0 or one of its own.`);
    default:
      return error;
  }
}
