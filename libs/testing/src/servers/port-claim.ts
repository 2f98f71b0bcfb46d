import { randomInt } from 'node:crypto';
import type { Server } from 'node:net';
import { closeListener, listenOn } from './free-ports.js';

const LOWEST = 20_000;
const BLOCKS = 120;
const BLOCK_SIZE = 100;

/**
 * Ports of 127.0.0.1 for programs that start later, and that are told each other's addresses before: whoever else
 * claims ports gets others, until the claim is released or its process is gone. Another program may still take one.
 */
export class PortClaim {
  /** One listener for each claimed block, on the block's first port. */
  private readonly tokens: Server[] = [];
  private readonly ports: number[] = [];

  /** `except`: a port that is somebody's already although nobody listens on it yet; its block is left alone. */
  constructor(private readonly except = 0) {}

  /** A free port that this claim has not given before. @throws Error when every block is claimed */
  async choose(): Promise<number> {
    for (;;) {
      const port = this.ports.shift();
      if (port === undefined) await this.claimBlock();
      else if (await isFree(port)) return port;
    }
  }

  /** The ports may be given to others. */
  async release(): Promise<void> {
    await Promise.all(this.tokens.splice(0).map(closeListener));
    this.ports.length = 0;
  }

  private async claimBlock(): Promise<void> {
    const start = randomInt(BLOCKS);
    for (let step = 0; step < BLOCKS; step++) {
      const first = LOWEST + ((start + step) % BLOCKS) * BLOCK_SIZE;
      if (this.except >= first && this.except < first + BLOCK_SIZE) continue;
      const token = await listenOn(first);
      if (!token) continue;
      this.tokens.push(token);
      for (let port = first + 1; port < first + BLOCK_SIZE; port++) this.ports.push(port);
      return;
    }
    throw new Error(`all ports between ${LOWEST} and ${LOWEST + BLOCKS * BLOCK_SIZE} are claimed`);
  }
}

async function isFree(port: number): Promise<boolean> {
  const listener = await listenOn(port);
  if (listener) await closeListener(listener);
  return listener !== undefined;
}
