import { createServer } from 'node:http';
import { ConflictException, Controller, Get, Post, Body } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { silentLogger } from '@tokone/telemetry';
import { z } from 'zod';
import { HealthChecks, HealthModule } from './health.js';
import { internalModule, readAs } from './internal-module.js';
import { OpenedParts } from './opened-parts.js';
import { ServiceListeners } from './service-listeners.js';

const SECRET = '9f86d081884c7d659a2feaa0c55ad015';
const bodySchema = z.object({ one: z.number() });

@Controller('/internal')
class RoutesController {
  @Post('/echo')
  echo(@Body() body: unknown): { one: number } {
    return readAs(bodySchema, body);
  }

  @Get('/conflict')
  conflict(): never {
    throw new ConflictException({ code: 'other_gateway', message: 'Another one runs.' });
  }

  @Get('/broken')
  broken(): never {
    throw new Error('the password of the database is hunter2');
  }
}

let parts = new OpenedParts(silentLogger, new AbortController().signal);
afterEach(async () => {
  await parts.close();
  parts = new OpenedParts(silentLogger, new AbortController().signal);
});

const address = { host: '127.0.0.1', port: 0 };
const lines: Record<string, unknown>[] = [];
const logger = { ...silentLogger, error: (fields: Record<string, unknown>) => void lines.push(fields) };

async function openInternal(): Promise<string> {
  const modules = [internalModule({ secret: SECRET, logger, controllers: [RoutesController], providers: [] })];
  return (await new ServiceListeners(parts).open({ name: 'internal', address, modules })).url;
}

async function ask(url: string, init: RequestInit = {}): Promise<{ status: number; body: unknown }> {
  const answer = await fetch(url, { ...init, headers: { authorization: `Bearer ${SECRET}`, 'content-type': 'application/json', ...(init.headers as Record<string, string> | undefined) }, signal: AbortSignal.timeout(5_000) });
  return { status: answer.status, body: await answer.json() };
}

describe('a listener that is closed', () => {
  it('takes connections until its leave is over, and none afterwards', async () => {
    let left = (): void => undefined;
    const modules = [internalModule({ secret: SECRET, logger, controllers: [RoutesController], providers: [] })];
    const { url } = await new ServiceListeners(parts).open({ name: 'internal', address, modules, leave: () => new Promise<void>((resolve) => (left = resolve)) });
    const closed = parts.close();
    expect((await ask(`${url}/internal/echo`, { method: 'POST', body: '{"one":1}', headers: { connection: 'close' } })).status).toBe(201);
    left();
    await closed;
    await expect(ask(`${url}/internal/echo`, { method: 'POST', body: '{"one":1}' })).rejects.toThrow();
  });
});

describe('an internal listener', () => {
  it('answers who knows the secret', async () => {
    expect(await ask(`${await openInternal()}/internal/echo`, { method: 'POST', body: '{"one":1}' })).toEqual({ status: 201, body: { one: 1 } });
  });

  it.each([{ authorization: 'Bearer 9f86d081884c7d659a2feaa0c55ad016' }, { authorization: SECRET }, { authorization: '' }, { authorization: 'Bearer ' }])('refuses %j', async (headers) => {
    const { status, body } = await ask(`${await openInternal()}/internal/echo`, { method: 'POST', body: '{"one":1}', headers });
    expect([status, body]).toEqual([401, { error: { code: 'status_401', message: expect.stringContaining('internal secret') } }]);
  });

  it('refuses what it cannot read, and what does not exist, in one form', async () => {
    const url = await openInternal();
    expect(await ask(`${url}/internal/echo`, { method: 'POST', body: '{"one":"x"}' })).toMatchObject({ status: 400, body: { error: { code: 'status_400' } } });
    expect(await ask(`${url}/internal/echo`, { method: 'POST', body: '{' })).toMatchObject({ status: 400 });
    expect(await ask(`${url}/internal/nothing`)).toMatchObject({ status: 404, body: { error: { code: 'status_404' } } });
  });

  it('names a code of ours, and never tells the cause of a fault', async () => {
    const url = await openInternal();
    expect(await ask(`${url}/internal/conflict`)).toEqual({ status: 409, body: { error: { code: 'other_gateway', message: 'Another one runs.' } } });
    const { status, body } = await ask(`${url}/internal/broken`);
    expect(status).toBe(500);
    expect(JSON.stringify(body)).not.toContain('hunter2');
    expect(JSON.stringify(lines)).toContain('hunter2');
  });

  it('lets a server of its own go first, and drains before it closes', async () => {
    let drained = false;
    const server = (fallThrough: Parameters<typeof createServer>[1] & object) => createServer((request, response) => (request.url === '/fast' ? void response.end('"fast"') : fallThrough(request as never, response as never)));
    const modules = [internalModule({ secret: SECRET, logger, controllers: [RoutesController], providers: [] })];
    const { url } = await new ServiceListeners(parts).open({ name: 'internal', address, modules, server: server as never, drain: async () => void (drained = true) });
    expect(await ask(`${url}/fast`)).toEqual({ status: 200, body: 'fast' });
    expect(await ask(`${url}/internal/conflict`)).toMatchObject({ status: 409 });
    await parts.close();
    expect(drained).toBe(true);
    await expect(ask(`${url}/fast`)).rejects.toThrow();
  });
});

describe('health', () => {
  async function healthOf(checks: HealthChecks): Promise<string> {
    return (await new ServiceListeners(parts).open({ name: 'management', address, modules: [HealthModule.with(checks)] })).url;
  }

  it('is ready when every part works, and reports what it is given', async () => {
    const url = await healthOf(new HealthChecks([{ name: 'database', problem: () => undefined }], () => ({ running: 3 })));
    expect(await ask(`${url}/health/ready`)).toEqual({ status: 200, body: { status: 'ok', running: 3 } });
    expect(await ask(`${url}/health/live`)).toEqual({ status: 200, body: { status: 'ok' } });
  });

  it('names the parts that are missing: those that say so, that throw, whatever they throw, and that do not answer', async () => {
    const url = await healthOf(
      new HealthChecks([
        { name: 'works', problem: () => undefined },
        { name: 'says', problem: () => 'It is away.' },
        { name: 'throws', problem: () => Promise.reject(new Error('no connection of user a to host b')) },
        { name: 'hangs', problem: () => new Promise(() => undefined) },
      ]),
    );
    const { status, body } = await ask(`${url}/health/ready`);
    expect(status).toBe(503);
    expect(body).toEqual({ status: 'not_ready', problems: { says: 'It is away.', throws: 'It fails.', hangs: 'It does not answer within 2000 ms.' } });
  });
});
