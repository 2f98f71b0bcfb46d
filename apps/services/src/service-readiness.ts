import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { StartupError } from '@tokone/persistence';
import type { Narrator } from './narrator.js';
import type { PlannedService } from './service-plan.js';

export interface ReadinessWait {
  service: Pick<PlannedService, 'name' | 'managementUrl'>;
  narrator: Narrator;
  /** How often it is said what is waited for. */
  waitLineMs: number;
}

const ANSWER_TIMEOUT_MS = 2_000;

/**
 * Resolves with what a service prints behind "is ready:". There is no deadline while it lives; from time to time it is
 * said what it waits for. @throws StartupError when it ends before.
 */
export function untilReady(child: ChildProcess, { service, narrator, waitLineMs }: ReadinessWait): Promise<string> {
  return new Promise((resolve, reject) => {
    const { stdout } = child;
    if (stdout === null) return reject(new Error('a service without standard output'));
    const startedAtMs = performance.now();
    let waiting = true;
    const done = (): void => {
      waiting = false;
      clearInterval(timer);
    };
    const fail = (how: string): void => {
      done();
      reject(new StartupError(`${service.name} ${how}. The lines above say why.`));
    };
    const timer = setInterval(() => {
      void problemsOf(service.managementUrl).then((problems) => {
        const seconds = Math.round((performance.now() - startedAtMs) / 1000);
        if (waiting) narrator.say([`${service.name} is not ready after ${seconds} s, and is waited for.`, ...problems].join(' '));
      });
    }, waitLineMs);
    createInterface({ input: stdout }).on('line', (line) => {
      const [, address] = / is ready: (.*)$/.exec(line) ?? [];
      if (address === undefined) return;
      done();
      resolve(address);
    });
    child.once('error', (error) => fail(`could not be started (${error.message})`));
    child.once('close', (code, signal) => fail(`ended before it was ready (${signal ?? `status ${String(code)}`})`));
  });
}

/** The sentences of a readiness report. None when there is none yet. */
async function problemsOf(managementUrl: string): Promise<string[]> {
  try {
    const answer = await fetch(`${managementUrl}/health/ready`, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    const { problems = {} } = (await answer.json()) as { problems?: Record<string, string> };
    return Object.values(problems);
  } catch {
    return [];
  }
}
