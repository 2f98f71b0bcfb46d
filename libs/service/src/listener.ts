import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { StartupError } from '@tokone/persistence';

/** Where to listen, and the settings that say so, for sentences to the operator. */
export interface ListenerAddress {
  host: string;
  port: number;
  /** Default: HOST and PORT. */
  settings?: { host: string; port: string };
}

/** Listens, or says in a sentence why that is not possible. Returns the port. */
export function listen(server: Server, address: ListenerAddress): Promise<number> {
  const { host, port } = address;
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(explain(error, address)));
    server.listen({ host, port, backlog: 4096 }, () => resolve((server.address() as AddressInfo).port));
  });
}

/** Finds out before anything is made what `listen` would refuse at the end of a start. */
export async function checkAddress(address: ListenerAddress): Promise<void> {
  const probe = createServer();
  await listen(probe, address);
  await new Promise((resolve) => probe.close(resolve));
}

/** A host as it stands in a URL that this machine can open: not every client takes an address that means all of them. */
export function urlOf(host: string, port: number): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

function explain(error: NodeJS.ErrnoException, { host, port, settings: names = { host: 'HOST', port: 'PORT' } }: ListenerAddress): Error {
  switch (error.code) {
    case 'EADDRINUSE':
      return new StartupError(`Port ${port} on ${host} is in use. Stop the other program, or choose another port, as with ${names.port}=8090`);
    case 'EACCES':
      return new StartupError(`Port ${port} is not open to this user. Choose one above 1023, as with ${names.port}=8080`);
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
    case 'EAI_AGAIN':
    case 'EINVAL':
    case 'ENOTFOUND':
      return new StartupError(`${names.host}=${host} is no address of this machine. Use 127.0.0.1, 0.0.0.0 or one of its own.`);
    default:
      return error;
  }
}
