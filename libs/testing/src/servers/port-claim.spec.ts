import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { PortClaim } from './port-claim.js';

const PORTS_OF_A_DEPLOYMENT = 90;

const claims: PortClaim[] = [];
afterEach(async () => {
  await Promise.all(claims.splice(0).map((claim) => claim.release()));
});

function claim(): PortClaim {
  const made = new PortClaim();
  claims.push(made);
  return made;
}

async function choose(from: PortClaim, count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) ports.push(await from.choose());
  return ports;
}

describe('claimed ports', () => {
  it('are never given twice, by one claim or by several at the same time, although nobody listens on them yet', async () => {
    const given = await Promise.all(Array.from({ length: 8 }, () => choose(claim(), PORTS_OF_A_DEPLOYMENT)));
    expect(new Set(given.flat()).size).toBe(8 * PORTS_OF_A_DEPLOYMENT);
  });

  it('go on behind the first block', async () => {
    const ports = await choose(claim(), 3 * PORTS_OF_A_DEPLOYMENT);
    expect(new Set(ports).size).toBe(3 * PORTS_OF_A_DEPLOYMENT);
  });

  it('leave out those on which another program listens', async () => {
    const mine = claim();
    const [first = 0] = await choose(mine, 1);
    const taken = createServer().listen(first + 1, '127.0.0.1');
    await once(taken, 'listening');
    try {
      const ports = await choose(mine, PORTS_OF_A_DEPLOYMENT);
      expect(ports).not.toContain((taken.address() as AddressInfo).port);
    } finally {
      await new Promise((resolve) => taken.close(resolve));
    }
  });

  it('leave the block of a port alone that is somebody\'s already', async () => {
    for (let round = 0; round < 200; round++) {
      const one = new PortClaim(30_050);
      const port = await one.choose();
      await one.release();
      expect(port < 30_000 || port >= 30_100).toBe(true);
    }
  });

  it('can all be claimed again once they are released', async () => {
    for (let round = 0; round < 200; round++) {
      const one = new PortClaim();
      await one.choose();
      await one.release();
    }
  });
});
