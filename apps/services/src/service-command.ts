import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { StartupError } from '@tokone/persistence';

/** kafkajs sets one timer with a negative time, which is harmless. */
export const NODE_OPTIONS = ['--disable-warning=TimeoutNegativeWarning'];

/** Path of the main that `npm run build` has made. */
export function mainOf(app: string): string {
  return fileURLToPath(new URL(`../../${app}/dist/main.js`, import.meta.url));
}

/** Runs a command of ours to its end; its standard output. @throws StartupError when it fails. */
export async function runCommand(app: string, environment: Readonly<Record<string, string>>): Promise<string> {
  const child = spawn(process.execPath, [...NODE_OPTIONS, mainOf(app)], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...environment } });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const code = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
  if (code !== 0) throw new StartupError(`${app} failed (status ${String(code)}). The lines above say why.`);
  return output;
}
