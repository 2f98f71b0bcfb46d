import type { ServerName } from './shared-servers.js';

/** Real servers that all specs of a run share; each is started when it is first asked for. */
export interface TestServers {
  /** `host:port` of each broker. A spec needs a topic prefix of its own. */
  kafka(): Promise<string[]>;
  /** `redis://host:port`. */
  redis(): Promise<string>;
  /** The url of a superuser. A spec needs a database of its own: createDatabase(). */
  postgres(): Promise<string>;
}

/** By which a server is named that somebody else runs. */
const NAMED_BY: Readonly<Record<ServerName, string>> = { kafka: 'KAFKA_BROKERS', redis: 'REDIS_URL', postgres: 'DATABASE_URL' };

/**
 * The servers that KAFKA_BROKERS, REDIS_URL and DATABASE_URL name, else those of this run of Jest. Nobody kills or pauses
 * them: who wants to, starts one of their own.
 */
export function testServers(): TestServers {
  return {
    kafka: async () => (await addressOf('kafka')).split(',').map((address) => address.trim()),
    redis: () => addressOf('redis'),
    postgres: () => addressOf('postgres'),
  };
}

async function addressOf(name: ServerName): Promise<string> {
  const named = process.env[NAMED_BY[name]];
  if (named !== undefined && named !== '') return named;
  const keeper = process.env['TOKONE_TEST_SERVERS'];
  if (keeper === undefined) throw new Error('testServers() serves the projects with servers in jest.config.mjs: name your file *.integration.spec.ts.');
  const answer = await fetch(new URL(name, keeper));
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return text;
}
