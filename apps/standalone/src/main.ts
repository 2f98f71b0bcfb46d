import 'reflect-metadata';
import { StartupError } from '@tokone/persistence';
import { runShape } from '@tokone/quickstart';
import { watchStopSignals } from '@tokone/service';
import { createLogger } from '@tokone/telemetry';
import { SETTINGS } from './settings.js';
import { startStandalone } from './standalone.js';

const DATABASE_LOST = 'PostgreSQL ended by itself; TokOne stops. postgres.log in the data folder says why. Start again: nothing that was answered is lost.';

function refuseArguments(argv: readonly string[]): void {
  if (argv.length > 0) throw new StartupError(`TokOne takes no arguments, but was given ${argv.join(' ')}. Settings are environment variables, as in PORT=8090 npm start; npm start -- --help lists them.`);
}

const { argv, env: environment, stdout, stderr } = process;
process.exit(
  await runShape(
    {
      about: 'TokOne in one process. It takes no arguments.',
      settings: SETTINGS,
      checkArguments: refuseArguments,
      start: async (settings, stop) => {
        const { baseUrl, quickstart, targets, databaseLost, stop: stopAll } = await startStandalone(settings, { logger: createLogger('standalone', settings.LOG_LEVEL), stop });
        return { baseUrl, quickstart, targets, failed: databaseLost.then(() => DATABASE_LOST), stop: stopAll };
      },
    },
    { argv: argv.slice(2), environment, stdout, stderr, stop: watchStopSignals(), elapsedMs: () => performance.now() },
  ),
);
