import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { LOG_LEVELS, createLogger, silentLogger } from './logger.js';

/** What a process of its own writes when it runs these calls on a logger. */
function linesOf(level: string, calls: string): { stdout: string; lines: Record<string, unknown>[] } {
  const file = join(import.meta.dirname, 'logger.ts');
  const program = `import { createLogger } from ${JSON.stringify(file)}; const logger = createLogger('part', ${JSON.stringify(level)}); ${calls}`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--no-warnings', '--input-type=module', '-e', program], { encoding: 'utf8', timeout: 20_000 });
  const lines = stderr.split('\n').filter((line) => line !== '');
  return { stdout, lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe('a logger', () => {
  it('writes lines of JSON to standard error, and nothing to standard output', () => {
    const { stdout, lines } = linesOf('info', `logger.info({ requestId: 'r' }, 'one'); logger.error({ cause: 'x' }, 'two'); logger.debug({}, 'not seen');`);
    expect(stdout).toBe('');
    expect(lines).toEqual([expect.objectContaining({ name: 'part', requestId: 'r', msg: 'one' }), expect.objectContaining({ cause: 'x', msg: 'two' })]);
  });

  it('names the trace of a request whose id stands in it', () => {
    const { lines } = linesOf('info', `logger.info({ requestId: '01940000-0000-7000-8000-00000000000A' }, 'one'); logger.info({ id: '01940000-0000-7000-8000-000000000001' }, 'two');`);
    expect(lines.map(({ requestId, traceId }) => [requestId, traceId])).toEqual([['01940000-0000-7000-8000-00000000000A', '0194000000007000800000000000000a'], [undefined, undefined]]);
  });

  it('keeps secrets that slipped into its fields out of its lines', () => {
    const secrets = ['authorization', 'key', 'credential', 'password', 'pepper', 'x-api-key', 'x-goog-api-key'];
    const nested = Object.fromEntries(secrets.filter((name) => name !== 'pepper').map((name) => [name, 'hush']));
    const flat = Object.fromEntries(secrets.filter((name) => !name.startsWith('x-')).map((name) => [name, 'hush']));
    const { lines } = linesOf('info', `logger.warn(${JSON.stringify({ ...flat, headers: nested })}, 'with secrets');`);
    expect(lines).toHaveLength(1);
    expect(JSON.stringify(lines)).not.toContain('hush');
  });

  it('that is silent writes nothing', () => {
    expect(linesOf('silent', `logger.error({}, 'nothing');`).lines).toEqual([]);
    expect(() => silentLogger.error({ cause: 'x' }, 'nothing')).not.toThrow();
  });

  it.each(LOG_LEVELS)('is made for level %s', (level) => {
    expect(() => createLogger('test', level)).not.toThrow();
  });
});
