import 'reflect-metadata';
import { SettingsError, describeSettings, readSettings } from '@tokone/http';
import { StartupError } from '@tokone/persistence';
import { createLogger } from '@tokone/telemetry';
import { writeReadyBlock } from './ready-block.js';
import { SETTINGS } from './settings.js';
import { startStandalone } from './standalone.js';

async function main(): Promise<void> {
  if (process.argv.includes('--help')) {
    process.stdout.write(`TokOne in one process. Settings are environment variables:\n\n${describeSettings(SETTINGS)}\n`);
    return;
  }
  const settings = readSettings(SETTINGS, process.env);
  // A signal during the start is kept until there is something to stop; a second one changes nothing.
  const stopAsked = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve());
  });
  const logger = createLogger('standalone', settings.LOG_LEVEL);
  const standalone = await startStandalone(settings, logger);
  const { baseUrl, quickstart, targets } = standalone;
  const showKeys = quickstart.created && process.stdout.isTTY;
  process.stdout.write(`${writeReadyBlock({ baseUrl, startedInMs: performance.now(), quickstart, targets, showKeys })}\n`);
  const lost = await Promise.race([stopAsked.then(() => false), standalone.databaseLost.then(() => true)]);
  if (lost) process.stderr.write('PostgreSQL ended by itself; TokOne stops. postgres.log in the data folder says why. Start again: nothing that was answered is lost.\n');
  else if (process.stdout.isTTY) process.stdout.write('\nStopping: running answers may end first.\n');
  await standalone.stop();
  process.exit(lost ? 1 : 0);
}

main().catch((error: unknown) => {
  const known = error instanceof StartupError || error instanceof SettingsError;
  process.stderr.write(known ? `${error.message}\n` : `TokOne could not start. This should not happen; please report it with these lines:\n${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
});
