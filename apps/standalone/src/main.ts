import 'reflect-metadata';
import { SettingsError, describeSettings, readSettings } from '@tokone/http';
import { StartupError } from '@tokone/persistence';
import { createLogger } from '@tokone/telemetry';
import { writeReadyBlock } from '@tokone/quickstart';
import { SETTINGS } from './settings.js';
import { startStandalone } from './standalone.js';
import { watchStopSignals, whenAborted } from '@tokone/service';

const USAGE = `TokOne in one process. It takes no arguments; settings are environment variables:\n\n${describeSettings(SETTINGS)}\n`;

/** Returns the exit status: 0 stopped in order because somebody asked. */
async function main(argv: readonly string[]): Promise<number> {
  if (argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (argv.length > 0) throw new StartupError(`TokOne takes no arguments, but was given ${argv.join(' ')}. Settings are environment variables, as in PORT=8090 npm start; npm start -- --help lists them.`);
  const settings = readSettings(SETTINGS, process.env);
  const stop = watchStopSignals();
  const logger = createLogger('standalone', settings.LOG_LEVEL);
  try {
    const standalone = await startStandalone(settings, { logger, stop });
    const { baseUrl, quickstart, targets } = standalone;
    const showKeys = quickstart.created && process.stdout.isTTY;
    process.stdout.write(`${writeReadyBlock({ baseUrl, startedInMs: performance.now(), quickstart, targets, showKeys })}\n`);
    const lost = await Promise.race([whenAborted(stop).then(() => false), standalone.databaseLost.then(() => true)]);
    if (lost) process.stderr.write('PostgreSQL ended by itself; TokOne stops. postgres.log in the data folder says why. Start again: nothing that was answered is lost.\n');
    else if (process.stdout.isTTY) process.stdout.write('\nStopping: running answers may end first.\n');
    await standalone.stop();
    return lost ? 1 : 0;
  } catch (error) {
    if (stop.aborted && error === stop.reason) return 0;
    throw error;
  }
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    const known = error instanceof StartupError || error instanceof SettingsError;
    process.stderr.write(known ? `${error.message}\n` : `TokOne could not start. This should not happen; please report it with these lines:\n${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(1);
  },
);
