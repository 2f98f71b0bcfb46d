export { RedisStore, RedisUnavailableError } from './redis-store.js';
export type { RedisScript, RedisStoreOptions } from './redis-store.js';
