import { describe, expect, it } from '@jest/globals';
import { integer } from '@tokone/http';
import { StartupError } from '@tokone/persistence';
import type { Platform } from '@tokone/protocol';
import { runShape } from './run-shape.js';
import type { RunningShape, ShapeDefinition } from './run-shape.js';

const SETTINGS = { SIZE: integer('Size of it.', 3, { min: 1, max: 9 }) };
const KEYS = new Map<Platform, string>([['openai', 'sk-to-1'], ['anthropic', 'sk-to-2'], ['gemini', 'sk-to-3']]);

interface Run {
  status: number;
  out: string;
  err: string;
  stops: number;
}

async function run(changes: { argv?: string[]; environment?: Record<string, string>; stop?: AbortSignal; isTTY?: boolean; start?: ShapeDefinition<typeof SETTINGS>['start']; running?: Partial<RunningShape> } = {}): Promise<Run> {
  const seen = { out: '', err: '', stops: 0 };
  const running: RunningShape = {
    baseUrl: 'http://127.0.0.1:8080',
    quickstart: { path: '/data/quickstart.env', keys: KEYS, created: true },
    targets: [{ platform: 'openai', kind: 'simulated', baseUrl: 'http://127.0.0.1:1', credential: 'x', keySetting: 'OPENAI_API_KEY' }],
    failed: Promise.resolve('The database is gone.'),
    stop: async () => void seen.stops++,
    ...changes.running,
  };
  const definition: ShapeDefinition<typeof SETTINGS> = {
    about: 'TokOne, somehow.',
    settings: SETTINGS,
    checkArguments: ([first]) => {
      if (first !== undefined) throw new StartupError(`${first} is not understood.`);
    },
    start: changes.start ?? (async () => running),
  };
  const stdout = { write: (text: string) => (seen.out += text), ...(changes.isTTY !== undefined && { isTTY: changes.isTTY }) };
  const status = await runShape(definition, { argv: changes.argv ?? [], environment: changes.environment ?? {}, stdout, stderr: { write: (text: string) => (seen.err += text) }, stop: changes.stop ?? new AbortController().signal, elapsedMs: () => 1_500 });
  return { status, ...seen };
}

describe('a shape of TokOne', () => {
  it('shows its ready block, and ends with status 1 and a sentence when it cannot go on', async () => {
    const { status, out, err, stops } = await run();
    expect({ status, err, stops }).toEqual({ status: 1, err: 'The database is gone.\n', stops: 1 });
    expect(out).toMatch(/^TokOne is ready on http:\/\/127\.0\.0\.1:8080 \(started in 1\.5 s\)/);
  });

  it.each([
    [true, true, true],
    [true, false, false],
    [false, true, false],
  ])('made now: %s, a person at a terminal: %s: keys are shown: %s', async (created, isTTY, shown) => {
    const { out } = await run({ isTTY, running: { quickstart: { path: '/data/quickstart.env', keys: KEYS, created } } });
    expect(out.includes('sk-to-1')).toBe(shown);
  });

  it('stops in order when somebody asks, with status 0', async () => {
    const asked = new AbortController();
    const ended = run({ isTTY: true, stop: asked.signal, running: { failed: new Promise<never>(() => undefined) } });
    asked.abort();
    const { status, out, stops } = await ended;
    expect({ status, stops }).toEqual({ status: 0, stops: 1 });
    expect(out).toContain('Stopping: running answers may end first.');
  });

  it('ends with status 0 when it is stopped while it starts', async () => {
    const asked = new AbortController();
    const start = (_settings: unknown, stop: AbortSignal) => new Promise<never>((_resolve, reject) => stop.addEventListener('abort', () => reject(stop.reason as Error)));
    const ended = run({ stop: asked.signal, start });
    asked.abort();
    expect(await ended).toEqual({ status: 0, out: '', err: '', stops: 0 });
  });

  it('says what a person can mend in a sentence, and shows anything else with its stack', async () => {
    expect(await run({ argv: ['--odd'] })).toMatchObject({ status: 1, out: '', err: '--odd is not understood.\n' });
    expect(await run({ environment: { SIZE: '55' } })).toMatchObject({ status: 1, err: 'SIZE=55 is not a whole number from 1 to 9.\n' });
    expect((await run({ start: () => Promise.reject(new Error('odd')) })).err).toMatch(/^TokOne could not start\. This should not happen; .*\nError: odd\n {4}at/);
  });

  it('explains its settings', async () => {
    const { status, out } = await run({ argv: ['--help'] });
    expect(status).toBe(0);
    expect(out).toContain('TokOne, somehow. Settings are environment variables:\n\n  SIZE');
  });
});
