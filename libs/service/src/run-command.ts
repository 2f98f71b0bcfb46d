import { readSettings } from '@tokone/http';
import type { Settings, SettingsTable } from '@tokone/http';
import { createLogger } from '@tokone/telemetry';
import type { LogLevel, Logger } from '@tokone/telemetry';
import { knownFailure } from './start-failure.js';
import type { ServiceProcess } from './run-service.js';

export interface CommandDefinition<Table extends SettingsTable> {
  /** As in `apps/<name>`. */
  name: string;
  /** For `--help`. */
  about: string;
  settings: Table;
  run(settings: Settings<Table>, world: { logger: Logger; now: () => number }): Promise<void>;
}

/** A program that does one thing and ends. Returns the exit status. */
export async function runCommand<Table extends SettingsTable>(definition: CommandDefinition<Table>, own: Omit<ServiceProcess, 'stdin'>): Promise<number> {
  const { name, about } = definition;
  if (own.argv.some((argument) => argument === '--help' || argument === '-h')) {
    own.stdout.write(`${about}\n`);
    return 0;
  }
  try {
    const settings = readSettings(definition.settings, own.environment);
    const { LOG_LEVEL: level = 'warn' } = settings as { LOG_LEVEL?: LogLevel };
    await definition.run(settings, { logger: createLogger(name, level), now: own.now });
    return 0;
  } catch (error) {
    own.stderr.write(`${knownFailure(error) ?? `${name} failed. ${error instanceof Error ? error.stack : String(error)}`}\n`);
    return 1;
  }
}
