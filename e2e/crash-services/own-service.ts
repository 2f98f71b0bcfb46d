import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { ChildProgram, chooseFreePorts } from '@tokone/testing';
import type { ServicesProcess } from '@tokone/testing';
import { environmentOf } from './process-state.js';

const READY_DEADLINE_MS = 120_000;

/** One more process of a service, which no supervisor starts again: with the environment of one that runs and `more`, on ports of its own. */
export async function startAnother(services: ServicesProcess, name: string, more: Readonly<Record<string, string>> = {}): Promise<ChildProgram> {
  const program = await beginAnother(services, name, more);
  try {
    await program.printed(/ is ready: /, READY_DEADLINE_MS);
    return program;
  } catch (error) {
    await program.end('SIGKILL');
    throw error;
  }
}

/** The same without a wait. A gateway gets a spool of its own in the deployment's folder. */
async function beginAnother(services: ServicesProcess, name: string, more: Readonly<Record<string, string>>): Promise<ChildProgram> {
  const { app, processId } = await services.service(name);
  const [INTERNAL_PORT, MANAGEMENT_PORT, PORT] = await chooseFreePorts(3);
  const ports = { INTERNAL_PORT, MANAGEMENT_PORT, PORT };
  const own: Record<string, string> = Object.fromEntries(Object.entries(ports).map(([setting, port]) => [setting, String(port)]));
  if (app === 'gateway') {
    own['TOKONE_SPOOL_DIR'] = await mkdtemp(join(services.dataFolder, 'another-gateway-'));
    own['TOKONE_GATEWAY_URL'] = `http://127.0.0.1:${ports.INTERNAL_PORT}`;
  }
  // Its standard input is the lifeline, which ends it with this process.
  return new ChildProgram({ main: `apps/${app}/dist/main.js`, env: { ...environmentOf(processId), ...own, ...more }, typed: true });
}

/** The address that it serves tenants on. */
export function publicUrlOf(program: ChildProgram): string {
  const [, url = ''] = / is ready: public (\S+?),/.exec(program.stdout) ?? [];
  return url;
}
