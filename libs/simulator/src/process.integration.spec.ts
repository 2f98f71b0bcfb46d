import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';

const main = fileURLToPath(new URL('../../../apps/simulator/dist/main.js', import.meta.url));
const running = new Set<ChildProcessWithoutNullStreams>();

beforeAll(() => {
  if (!existsSync(main)) throw new Error('apps/simulator is not built: run `npm run build` first.');
});
afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
});

async function start(settings: Record<string, string> = {}) {
  const child = spawn(process.execPath, [main], { env: { ...settings } });
  running.add(child);
  const exit = once(child, 'exit').then(([code]) => {
    running.delete(child);
    return code as number | null;
  });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return { child, exit, ...(JSON.parse(line) as { event: string; url: string }) };
}

describe('the process of the simulator', () => {
  it('says in one line of JSON where it listens, and ends at once with 0 on SIGTERM', async () => {
    const { child, exit, event, url } = await start();
    expect(event).toBe('listening');
    expect((await fetch(`${url}/health`)).status).toBe(200);
    child.kill('SIGTERM');
    expect(await exit).toBe(0);
  });

  it('ends for POST /shutdown with its token', async () => {
    const { exit, url } = await start({ SIMULATOR_TOKEN: 't' });
    await fetch(`${url}/shutdown`, { method: 'POST', headers: { 'x-shutdown-token': 't' } });
    expect(await exit).toBe(0);
  });

  it('ends by itself when standard input is closed, and not at Ctrl-C before', async () => {
    const { child, exit, url } = await start({ SIMULATOR_ORPHAN_EXIT_MS: '50' });
    child.kill('SIGINT');
    expect((await fetch(`${url}/health`)).status).toBe(200);
    child.stdin.end();
    expect(await exit).toBe(0);
  });

  it('says in a sentence why it could not start', async () => {
    const { child: first, url } = await start();
    const second = spawn(process.execPath, [main], { env: { PORT: new URL(url).port } });
    running.add(second);
    let said = '';
    second.stderr.on('data', (piece: Buffer) => (said += piece.toString()));
    const [code] = (await once(second, 'exit')) as [number];
    running.delete(second);
    expect(code).toBe(1);
    expect(said).toMatch(/^The simulator could not start: another process listens/);
    first.kill('SIGTERM');
  });
});
