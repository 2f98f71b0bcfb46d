import { describeSettings, readSettings } from '@tokone/http';
import type { Settings, SettingsTable } from '@tokone/http';
import { ServiceMetrics, createLogger } from '@tokone/telemetry';
import type { LogLevel, Logger, MetricService, Tracing } from '@tokone/telemetry';
import { OpenedParts } from './opened-parts.js';
import { writeStartFailure } from './start-failure.js';
import { openTracing } from './trace-settings.js';
import type { TraceSettings } from './trace-settings.js';
import { watchStopSignals, whenAborted } from './stop-signals.js';

export interface ServiceWorld {
  logger: Logger;
  /** Of this process; closed with its parts. */
  metrics: ServiceMetrics;
  /** Of this process; closed with its parts. */
  tracing: Tracing;
  /** Closed in the reverse order when the service stops, or when its start fails. */
  parts: OpenedParts;
  /** Aborts when somebody asks to stop. */
  stop: AbortSignal;
  /** Wall clock, milliseconds since 1970. */
  now: () => number;
}

export interface RunningService {
  /** Behind "<name> is ready": addresses, for a person and for a supervisor. */
  address: string;
  /** Resolves with a sentence when the service cannot go on. */
  failed?: Promise<string>;
}

export interface ServiceDefinition<Table extends SettingsTable> {
  /** As in `apps/<name>`. */
  name: string;
  /** A sentence for `--help`. */
  about: string;
  settings: Table;
  /** Whose metrics the process has. */
  metrics(settings: Settings<Table>): readonly MetricService[];
  start(settings: Settings<Table>, world: ServiceWorld): Promise<RunningService>;
}

type CommonTable = SettingsTable & { LOG_LEVEL: { read(text: string | undefined): LogLevel } };

/** The process that a service runs in: what a main hands over instead of reading it itself. */
export interface ServiceProcess {
  argv: readonly string[];
  environment: Readonly<Record<string, string | undefined>>;
  stdin: NodeJS.ReadableStream;
  stdout: { write(text: string): unknown };
  stderr: { write(text: string): unknown };
  /** Wall clock, milliseconds since 1970. */
  now: () => number;
}

/**
 * The life of a service: settings, start, one line `<name> is ready: …` on standard output, and an orderly stop on
 * SIGTERM, SIGINT, or when its lifeline closes. Returns the exit status: 0 when somebody asked it to stop.
 */
export async function runService<Table extends CommonTable>(definition: ServiceDefinition<Table>, own: ServiceProcess): Promise<number> {
  try {
    return await live(definition, own);
  } catch (error) {
    own.stderr.write(`${writeStartFailure(error, definition.name)}\n`);
    return 1;
  }
}

async function live<Table extends CommonTable>(definition: ServiceDefinition<Table>, own: ServiceProcess): Promise<number> {
  const { name, about } = definition;
  if (own.argv.some((argument) => argument === '--help' || argument === '-h')) {
    own.stdout.write(`${about} Settings are environment variables:\n\n${describeSettings(definition.settings)}\n`);
    return 0;
  }
  const settings = readSettings(definition.settings, own.environment);
  const stop = AbortSignal.any([watchStopSignals(), lifelineOf(own)]);
  const logger = createLogger(name, (settings as { LOG_LEVEL: LogLevel }).LOG_LEVEL);
  const parts = new OpenedParts(logger, stop);
  try {
    const metrics = parts.add('metrics', new ServiceMetrics(definition.metrics(settings)), (opened) => opened.close());
    const tracing = parts.add('tracing', await openTracing(name, settings as TraceSettings, { logger, metrics }), (opened) => opened.close());
    const { address, failed } = await definition.start(settings, { logger, metrics, tracing, parts, stop, now: own.now });
    own.stdout.write(`${name} is ready: ${address}\n`);
    const reason = await Promise.race([whenAborted(stop).then(() => undefined), ...(failed ? [failed] : [])]);
    if (reason !== undefined) own.stderr.write(`${name} stops: ${reason}\n`);
    return reason === undefined ? 0 : 1;
  } catch (error) {
    if (stop.aborted && error === stop.reason) return 0;
    throw error;
  } finally {
    await parts.close();
  }
}

/** Aborts when the standard input of a supervised service closes: its supervisor is gone. */
function lifelineOf({ environment, stdin }: ServiceProcess): AbortSignal {
  const gone = new AbortController();
  if (environment['TOKONE_LIFELINE'] === 'stdin') stdin.on('end', () => gone.abort()).on('error', () => gone.abort()).resume();
  return gone.signal;
}
