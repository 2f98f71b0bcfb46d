import { PassThrough } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { integer } from '@tokone/http';
import { StartupError } from '@tokone/persistence';
import { runService } from './run-service.js';
import type { RunningService, ServiceProcess, ServiceWorld } from './run-service.js';
import { SERVICE_SETTINGS } from './service-settings.js';

const SETTINGS = { ...SERVICE_SETTINGS, SIZE: integer('Size of it.', 3, { min: 1, max: 9 }) };
const GOOD = { TOKONE_INTERNAL_SECRET: '9f86d081884c7d659a2feaa0c55ad015', LOG_LEVEL: 'silent' };

class OwnProcess implements ServiceProcess {
  out = '';
  err = '';
  readonly now = (): number => 0;
  readonly stdin = new PassThrough();
  readonly stdout = { write: (text: string) => (this.out += text) };
  readonly stderr = { write: (text: string) => (this.err += text) };

  constructor(
    readonly environment: Record<string, string>,
    readonly argv: readonly string[] = [],
  ) {}
}

const definition = (start: (world: ServiceWorld) => Promise<RunningService>) => ({ name: 'billing', about: 'Rates usage.', settings: SETTINGS, metrics: () => ['billing' as const], start: (_settings: unknown, world: ServiceWorld) => start(world) });

describe('a service', () => {
  it('says that it is ready, stops when its lifeline closes, and gives everything back', async () => {
    const own = new OwnProcess({ ...GOOD, TOKONE_LIFELINE: 'stdin' });
    const closed: string[] = [];
    const status = runService(
      definition(async ({ parts }) => {
        for (const name of ['one', 'two']) parts.add(name, name, (part) => closed.push(part));
        setImmediate(() => own.stdin.end());
        return { address: 'internal http://127.0.0.1:1' };
      }),
      own,
    );
    expect(await status).toBe(0);
    expect(own.out).toBe('billing is ready: internal http://127.0.0.1:1\n');
    expect(closed).toEqual(['two', 'one']);
  });

  it('ends with status 1 and the reason when it cannot go on', async () => {
    const own = new OwnProcess(GOOD);
    expect(await runService(definition(async () => ({ address: 'here', failed: Promise.resolve('the spool is gone.') })), own)).toBe(1);
    expect(own.err).toBe('billing stops: the spool is gone.\n');
  });

  it.each([
    [new StartupError('Take another port.'), 'Take another port.\n'],
    [new Error('odd'), 'billing could not start. This should not happen'],
  ])('says why it could not start: %s', async (error, text) => {
    const own = new OwnProcess(GOOD);
    let closed = false;
    const start = async ({ parts }: ServiceWorld): Promise<RunningService> => {
      parts.add('one', 1, () => (closed = true));
      throw error;
    };
    expect(await runService(definition(start), own)).toBe(1);
    expect(own.err).toContain(text);
    expect(closed).toBe(true);
  });

  it('refuses to start without the secret, and with wrong settings, all in one go', async () => {
    const own = new OwnProcess({ SIZE: '11' });
    expect(await runService(definition(() => Promise.reject(new Error('never'))), own)).toBe(1);
    expect(own.err.split('\n')).toEqual([expect.stringContaining('TOKONE_INTERNAL_SECRET is not set'), expect.stringContaining('SIZE=11 is not a whole number'), '']);
  });

  it('lists its settings for --help', async () => {
    const own = new OwnProcess({}, ['--help']);
    expect(await runService(definition(() => Promise.reject(new Error('never'))), own)).toBe(0);
    expect(own.out).toContain('Rates usage. Settings are environment variables:');
    expect(own.out).toContain('TOKONE_INTERNAL_SECRET');
  });

  it('ends with status 0 when it is stopped while it starts', async () => {
    const own = new OwnProcess({ ...GOOD, TOKONE_LIFELINE: 'stdin' });
    own.stdin.end();
    const start = async ({ parts, stop }: ServiceWorld): Promise<RunningService> => {
      await parts.whileWanted(new Promise(() => undefined));
      throw stop.reason;
    };
    expect(await runService(definition(start), own)).toBe(0);
  });
});
