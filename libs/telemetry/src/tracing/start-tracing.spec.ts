import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';

/** What a process of its own loads of OpenTelemetry, and what it is given, when it starts its tracing with this endpoint. */
function started(endpoint: string | undefined): { loaded: string[]; enabled: boolean } {
  const file = join(import.meta.dirname, 'start-tracing.ts');
  const program = `
    import { registerHooks } from 'node:module';
    const loaded = [];
    registerHooks({ resolve(specifier, context, next) {
      if (specifier.startsWith('@opentelemetry/') && context.parentURL?.includes('/libs/telemetry/')) loaded.push(specifier);
      return next(specifier.startsWith('.') && context.parentURL?.endsWith('.ts') ? specifier.replace(/\\.js$/, '.ts') : specifier, context);
    } });
    const { startTracing } = await import(${JSON.stringify(file)});
    const tracing = await startTracing({ service: 'test', endpoint: ${JSON.stringify(endpoint)}, protocol: 'http/json', sampler: 'always_off', ratio: 0, onLost() {} });
    await tracing.close();
    console.log(JSON.stringify({ loaded, enabled: tracing.enabled }));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--no-warnings', '--conditions=@tokone/source', '--experimental-transform-types', '--input-type=module', '-e', program], { encoding: 'utf8', timeout: 60_000 });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as { loaded: string[]; enabled: boolean };
}

it('loads nothing of the SDK and records nothing where no receiver is named', () => {
  expect(started(undefined)).toEqual({ loaded: [], enabled: false });
});

it('loads the SDK where one is', () => {
  const { loaded, enabled } = started('http://127.0.0.1:9');
  expect([loaded.includes('@opentelemetry/sdk-node'), enabled]).toEqual([true, true]);
});
