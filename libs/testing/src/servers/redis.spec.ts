import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { makeTemporaryFolder, type TemporaryFolder } from '../temporary-folder.js';
import { startRedis } from './redis.js';

const { PATH } = process.env;
let folder: TemporaryFolder;

beforeEach(async () => {
  folder = await makeTemporaryFolder('no-redis');
  // No program at all, and no engine.
  [process.env['PATH'], process.env['DOCKER_HOST']] = [folder.path, `unix://${folder.path}/no.sock`];
});
afterEach(async () => {
  process.env['PATH'] = PATH;
  delete process.env['DOCKER_HOST'];
  await folder.remove();
});

describe('a machine without Redis', () => {
  it('is told of all that helps', async () => {
    await expect(startRedis({ folder: folder.path })).rejects.toThrow('There is no redis-server on this machine: install it (apt-get install redis-server), start a Docker engine, or name a server in REDIS_URL.');
  });

  it('is told of no Docker engine where a container does not serve the purpose', async () => {
    await expect(startRedis({ folder: folder.path, docker: false })).rejects.toThrow('There is no redis-server on this machine: install it (apt-get install redis-server), or name a server in REDIS_URL.');
  });
});
