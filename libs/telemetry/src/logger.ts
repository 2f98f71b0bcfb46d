import { destination, pino } from 'pino';

/** What our code asks of a logger. Lines are JSON; fields never carry keys, credentials or text of prompts and answers. */
export interface Logger {
  debug(fields: Record<string, unknown>, message: string): void;
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Names under which a secret could slip into a line; a second wall, the first is not to log such objects at all. */
const SECRET_FIELDS = ['authorization', 'key', 'credential', 'password', 'pepper', '*.authorization', '*["x-api-key"]', '*["x-goog-api-key"]', '*.key', '*.credential', '*.password'];

/** A logger that writes JSON lines to standard error, so that standard output stays for the ready block. */
export function createLogger(name: string, level: LogLevel): Logger {
  return pino({ name, level, redact: SECRET_FIELDS, base: { name }, formatters: { log: withTrace } }, destination({ fd: 2, sync: false }));
}

/** A line about a request names its trace, too (as `traceIdOf` says it): here, so that no caller can forget it. */
function withTrace(fields: Record<string, unknown>): Record<string, unknown> {
  const { requestId } = fields;
  return typeof requestId === 'string' ? { ...fields, traceId: requestId.replaceAll('-', '').toLowerCase() } : fields;
}

/** For tests and tools that want none. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
