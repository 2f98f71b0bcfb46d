import 'reflect-metadata';
import { SettingsError, describeSettings, readSettings } from '@tokone/http';
import { StartupError } from '@tokone/persistence';
import { writeReadyBlock } from '@tokone/quickstart';
import { watchStopSignals, whenAborted } from '@tokone/service';
import { readArguments } from './command-line.js';
import { SETTINGS } from './settings.js';
import { startServices } from './supervisor.js';

const USAGE = `TokOne as separate services on this machine. Settings are environment variables:\n\n${describeSettings(SETTINGS)}\n`;

/** Returns the exit status: 0 stopped in order because somebody asked. */
async function main(argv: readonly string[]): Promise<number> {
  if (argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(USAGE);
    return 0;
  }
  readArguments(argv);
  const settings = readSettings(SETTINGS, process.env);
  const stop = watchStopSignals();
  try {
    const narrator = { say: (line: string) => void process.stderr.write(`${line}\n`) };
    const { baseUrl, quickstart, targets, stop: stopAll } = await startServices(settings, { stop, narrator });
    const showKeys = quickstart.created && process.stdout.isTTY;
    process.stdout.write(`${writeReadyBlock({ baseUrl, startedInMs: performance.now(), quickstart, targets, showKeys })}\n`);
    await whenAborted(stop);
    if (process.stdout.isTTY) process.stdout.write('\nStopping: running answers may end first.\n');
    await stopAll();
    return 0;
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
