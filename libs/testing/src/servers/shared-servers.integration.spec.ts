import { describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { kafkaBrokerIds, redisAnswers } from './server-contact.js';
import { createDatabase } from './test-database.js';
import { testServers } from './test-servers.js';

describe('the servers that all specs share', () => {
  it('serve Kafka, Redis and PostgreSQL', async () => {
    const [kafka, redis, postgres] = await Promise.all([testServers().kafka(), testServers().redis(), testServers().postgres()]);
    expect(kafka).toHaveLength(1);
    expect(await kafkaBrokerIds(Number(kafka[0]?.split(':')[1]))).toEqual([1]);
    expect(await redisAnswers(Number(new URL(redis).port))).toBe(true);
    const database = await createDatabase(postgres);
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    expect((await client.query('SELECT current_database() AS name')).rows).toEqual([{ name: database.name }]);
    await client.end();
    await database.drop();
  });
});
