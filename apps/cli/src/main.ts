import { SettingsError, readSettings } from '@tokone/http';
import { Uuid7Source } from '@tokone/protocol';
import { runCommandLine } from './command-line.js';
import { SETTINGS } from './settings.js';

const print = (text: string): void => void process.stdout.write(`${text}\n`);
const complain = (text: string): void => void process.stderr.write(`${text}\n`);
const ids = new Uuid7Source(() => Date.now());
// Whoever reads may have enough, as in `tokone account list | head`.
process.stdout.on('error', () => undefined);

try {
  const { TOKONE_DATA_DIR: dataFolder } = readSettings(SETTINGS, process.env);
  process.exitCode = await runCommandLine(process.argv, { dataFolder, newId: () => ids.next(), print, complain });
} catch (error) {
  if (!(error instanceof SettingsError)) throw error;
  complain(error.message);
  process.exitCode = 2;
}
