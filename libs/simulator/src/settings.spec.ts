import { describe, expect, it } from '@jest/globals';
import { readSimulatorSettings } from './settings.js';

describe('settings of the simulator', () => {
  it('listen on loopback and any free port unless told otherwise', () => {
    expect(readSimulatorSettings({})).toEqual({ host: '127.0.0.1', port: 0, chunkDelayMs: 5, chunkTokens: 4, truthCapacity: 200_000 });
    const set = { HOST: '::1', PORT: '8080', SIMULATOR_TOKEN: 't', SIMULATOR_ORPHAN_EXIT_MS: '0' };
    expect(readSimulatorSettings(set)).toMatchObject({ host: '::1', port: 8080, shutdownToken: 't', orphanExitMs: 0 });
  });

  it.each([['PORT', '70000'], ['PORT', '-1'], ['SIMULATOR_CHUNK_TOKENS', '0'], ['SIMULATOR_ORPHAN_EXIT_MS', 'soon']])('refuse %s=%s by name', (name, value) => {
    expect(() => readSimulatorSettings({ [name]: value })).toThrow(name);
  });
});
