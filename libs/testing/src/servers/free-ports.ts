import { randomInt } from 'node:crypto';
import { type Server, createServer } from 'node:net';

const LOWEST = 15_000;
/** Above it are the ports of claims. */
const HIGHEST = 20_000;
const MAX_TRIES = 200;
const MAX_STARTS = 5;

/**
 * Different ports of 127.0.0.1 on which nobody listens. Not from the range that the system gives to outgoing connections:
 * while a killed server is away, a client that keeps calling its port would sooner or later be given that very port as
 * its own, connect to itself, and keep the server from coming back.
 */
export async function chooseFreePorts(count: number): Promise<number[]> {
  const held: Server[] = [];
  const ports: number[] = [];
  try {
    for (let tries = 0; ports.length < count; tries += 1) {
      if (tries > MAX_TRIES) throw new Error(`no free port between ${LOWEST} and ${HIGHEST} was found`);
      const port = randomInt(LOWEST, HIGHEST);
      const server = await listenOn(port);
      if (server === undefined) continue;
      held.push(server);
      ports.push(port);
    }
    return ports;
  } finally {
    await Promise.all(held.map(closeListener));
  }
}

/** Repeats a start on freshly chosen ports, since another program may take one before the server does. */
export async function retryTakenPorts<Server>(start: () => Promise<Server>): Promise<Server> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await start();
    } catch (error) {
      if (tries === MAX_STARTS || !/address already in use/i.test(String(error))) throw error;
    }
  }
}

export async function chooseFreePort(): Promise<number> {
  const [port = 0] = await chooseFreePorts(1);
  return port;
}

/** A listener that takes nobody in and keeps no program alive, or nothing if the port is in use. */
export async function listenOn(port: number): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve) => {
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => resolve(server.unref()));
  });
}

export function closeListener(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
