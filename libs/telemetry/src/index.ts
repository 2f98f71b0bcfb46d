export { LOG_LEVELS, createLogger, silentLogger } from './logger.js';
export type { LogLevel, Logger } from './logger.js';
