import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { makeTemporaryFolder, type TemporaryFolder } from '../temporary-folder.js';
import { startNginx } from './nginx.js';

let folder: TemporaryFolder;
beforeEach(async () => {
  folder = await makeTemporaryFolder('nginx-spec');
});
afterEach(() => folder.remove());

describe('nginx', () => {
  it('is not started on what is no configuration, and says what is wrong', async () => {
    await expect(startNginx({ folder: folder.path, config: 'events {}\nhttp { proxi_pass x; }\n', port: 1 })).rejects.toThrow(/unknown directive "proxi_pass"/);
  });
});
