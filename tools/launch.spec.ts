import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { fingerprintOf } from './build.mjs';
import { stampFor } from './install.mjs';
import { workspaceRoot } from './workspace.mjs';

// An app that says what reaches it; "drain" takes longer than the launcher waits before it passes a signal on.
const app = `
  let signals = 0;
  const [mode] = process.argv.slice(2);
  if (mode === 'exit') process.exit(Number(process.argv[3]));
  if (mode === 'echo') { console.log(JSON.stringify({ argv: process.argv.slice(2), setting: process.env.TOKONE_LAUNCH_SPEC })); process.exit(0); }
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(name, () => {
      signals += 1;
      if (signals > 1) return;
      setTimeout(() => { console.log('drained after', signals); process.exit(0); }, 700);
    });
  }
  setInterval(() => {}, 1000);
  console.log('ready', process.pid);
`;

let root: string;
beforeAll(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'tokone-launch-')));
  for (const folder of ['apps/probe/dist', 'libs', 'node_modules']) mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, 'package-lock.json'), '{}');
  writeFileSync(join(root, 'tsconfig.json'), '{"references":[]}');
  writeFileSync(join(root, 'package.json'), '{"type":"module"}');
  writeFileSync(join(root, 'apps/probe/dist/main.js'), app);
  writeFileSync(join(root, 'node_modules/.tokone-lock'), stampFor(root));
  writeFileSync(join(root, 'node_modules/.tokone-build'), fingerprintOf(root));
});
afterAll(() => rmSync(root, { recursive: true }));

interface Launched {
  child: ChildProcess;
  output: () => string;
  /** Resolves with the exit status once the process and its pipes are closed. */
  ended: Promise<number | null>;
}

function startLauncher(name: string, ...argv: string[]): Launched {
  const script = `
    import { launch } from ${JSON.stringify(join(workspaceRoot, 'tools/launch.mjs'))};
    import { runScript } from ${JSON.stringify(join(workspaceRoot, 'tools/workspace.mjs'))};
    await runScript(() => launch(${JSON.stringify({ app: name, argv, root })}));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { detached: true, env: { ...process.env, TOKONE_LAUNCH_SPEC: 'passed' } });
  let output = '';
  child.stdout.on('data', (bytes) => (output += String(bytes)));
  child.stderr.on('data', (bytes) => (output += String(bytes)));
  return { child, output: () => output, ended: once(child, 'close').then(([code]) => code as number | null) };
}

/** @returns the process number of the app */
async function readyApp({ child, output }: Launched): Promise<number> {
  while (!output().includes('ready')) await once(child.stdout!, 'data');
  return Number(/ready (\d+)/.exec(output())?.[1]);
}

describe('launch', () => {
  it('passes arguments and environment on, and prints nothing of its own on stdout', async () => {
    const { output, ended } = startLauncher('probe', 'echo', '--json', 'a b');
    expect(await ended).toBe(0);
    expect(JSON.parse(output())).toEqual({ argv: ['echo', '--json', 'a b'], setting: 'passed' });
  });

  it("ends with the app's own status", async () => {
    expect(await startLauncher('probe', 'exit', '3').ended).toBe(3);
  });

  it('passes a signal on that only the launcher got, however often it comes, and waits for the drain', async () => {
    const launched = startLauncher('probe', 'serve');
    await readyApp(launched);
    for (const name of ['SIGTERM', 'SIGTERM', 'SIGINT', 'SIGHUP'] as const) launched.child.kill(name);
    expect(await launched.ended).toBe(0);
    expect(launched.output()).toContain('drained after 1');
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('outlives the app when the whole group gets %s', async (name) => {
    const launched = startLauncher('probe', 'serve');
    await readyApp(launched);
    process.kill(-launched.child.pid!, name);
    expect(await launched.ended).toBe(0);
    expect(launched.output()).toMatch(/drained after [12]/);
  });

  it('says that the app was killed', async () => {
    const launched = startLauncher('probe', 'serve');
    process.kill(await readyApp(launched), 'SIGKILL');
    expect(await launched.ended).toBe(1);
    expect(launched.output()).toContain('ended by SIGKILL');
  });

  it('says that an app is missing, without a stack trace', async () => {
    const { output, ended } = startLauncher('nowhere');
    expect(await ended).toBe(1);
    expect(output()).toBe('apps/nowhere has no main.js after the build; get a complete copy of the repository.\n');
  });
});
