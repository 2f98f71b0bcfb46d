import { databaseUrl, integer } from '@tokone/http';
import { KAFKA_SETTINGS, SERVICE_SETTINGS } from '@tokone/service';

/** What the billing service can be told. */
export const SETTINGS = {
  ...SERVICE_SETTINGS,
  ...KAFKA_SETTINGS,
  DATABASE_URL: databaseUrl('The database, by the user of the billing service; migrate makes it.'),
  TOKONE_DEAD_LIMIT: integer('So many records within a minute may be unreadable; beyond it rating waits for a person. Raised, it goes on.', 20, { min: 0, max: 1_000_000 }),
} as const;
