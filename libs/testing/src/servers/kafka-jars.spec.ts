import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { makeTemporaryFolder, type TemporaryFolder } from '../temporary-folder.js';

const { PATH, TOKONE_SERVERS_CACHE: CACHE } = process.env;
let folder: TemporaryFolder;
let findKafkaJars: typeof import('./kafka-jars.js').findKafkaJars;

beforeAll(async () => {
  folder = await makeTemporaryFolder('no-maven');
  [process.env['PATH'], process.env['TOKONE_SERVERS_CACHE']] = [folder.path, folder.path];
  // The place of the cache is read when the module is loaded.
  ({ findKafkaJars } = await import('./kafka-jars.js'));
});
afterAll(async () => {
  process.env['PATH'] = PATH;
  if (CACHE === undefined) delete process.env['TOKONE_SERVERS_CACHE'];
  else process.env['TOKONE_SERVERS_CACHE'] = CACHE;
  await folder.remove();
});

describe('a machine without Maven', () => {
  it('is told of all that helps', async () => {
    await expect(findKafkaJars('java')).rejects.toThrow('install maven (and openjdk-17-jre-headless), start a Docker engine, or name brokers in KAFKA_BROKERS.');
  });

  it('is told of no Docker engine where a container does not serve the purpose', async () => {
    await expect(findKafkaJars('java', { docker: false })).rejects.toThrow('install maven (and openjdk-17-jre-headless), or name brokers in KAFKA_BROKERS.');
  });
});
