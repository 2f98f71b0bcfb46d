import { describeSettings, readSettings } from '@tokone/http';
import type { Settings, SettingsTable } from '@tokone/http';
import { whenAborted, writeStartFailure } from '@tokone/service';
import type { QuickstartKeys } from './quickstart-env.js';
import { writeReadyBlock } from './ready-block.js';
import type { UpstreamTarget } from './upstream-targets.js';

export interface RunningShape {
  baseUrl: string;
  quickstart: QuickstartKeys;
  targets: readonly UpstreamTarget[];
  /** Resolves with a sentence when it cannot go on. */
  failed?: Promise<string>;
  stop(): Promise<void>;
}

/** All of TokOne in one of its shapes, as a person starts it in a terminal. */
export interface ShapeDefinition<Table extends SettingsTable> {
  /** For `--help`. */
  about: string;
  settings: Table;
  /** Throws what is wrong with them. */
  checkArguments(argv: readonly string[]): void;
  start(settings: Settings<Table>, stop: AbortSignal): Promise<RunningShape>;
}

export interface ShapeProcess {
  argv: readonly string[];
  environment: Readonly<Record<string, string | undefined>>;
  stdout: { write(text: string): unknown; isTTY?: boolean };
  stderr: { write(text: string): unknown };
  /** Aborts when somebody asks to stop. */
  stop: AbortSignal;
  /** Milliseconds since the process began. */
  elapsedMs: () => number;
}

/** Start, ready block, and an orderly stop when somebody asks. Returns the exit status: 0 when it stopped because of that. */
export async function runShape<Table extends SettingsTable>(definition: ShapeDefinition<Table>, own: ShapeProcess): Promise<number> {
  try {
    return await live(definition, own);
  } catch (error) {
    own.stderr.write(`${writeStartFailure(error, 'TokOne')}\n`);
    return 1;
  }
}

async function live<Table extends SettingsTable>({ about, settings: table, checkArguments, start }: ShapeDefinition<Table>, own: ShapeProcess): Promise<number> {
  const { argv, environment, stdout, stderr, stop } = own;
  if (argv.includes('--help') || argv.includes('-h')) {
    stdout.write(`${about} Settings are environment variables:\n\n${describeSettings(table)}\n`);
    return 0;
  }
  checkArguments(argv);
  const settings = readSettings(table, environment);
  try {
    const { baseUrl, quickstart, targets, failed, stop: stopAll } = await start(settings, stop);
    const showKeys = quickstart.created && stdout.isTTY === true;
    stdout.write(`${writeReadyBlock({ baseUrl, quickstart, targets, startedInMs: own.elapsedMs(), showKeys })}\n`);
    const reason = await Promise.race([whenAborted(stop).then(() => undefined), ...(failed ? [failed] : [])]);
    if (reason !== undefined) stderr.write(`${reason}\n`);
    else if (stdout.isTTY === true) stdout.write('\nStopping: running answers may end first.\n');
    await stopAll();
    return reason === undefined ? 0 : 1;
  } catch (error) {
    if (stop.aborted && error === stop.reason) return 0;
    throw error;
  }
}
