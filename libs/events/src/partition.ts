/** Of every topic whose key is an account: changing it moves accounts, and with them the order of their records. */
export const PARTITIONS = 12;

/**
 * The partition of an account's records in `usage.recorded`, `charge.rated` and `account.changed`: FNV-1a of 32 bits
 * over the UTF-8 of the id in lower case, modulo 12. It is computed here and never by a client library, so that all
 * records of an account stand in one partition, in order, whoever writes them.
 */
export function partitionOf(accountId: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(accountId.toLowerCase())) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0) % PARTITIONS;
}
