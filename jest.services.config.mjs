// The specs of the running product once more, against all services on real servers instead of one process.
import integration, { alone, crashServices, standaloneOnly } from './jest.integration.config.mjs';

// Jest's workers inherit it.
process.env['TOKONE_TEST_SHAPE'] = 'services';

export default {
  ...integration,
  roots: ['<rootDir>/e2e'],
  testMatch: ['<rootDir>/e2e/**/*.spec.ts'],
  testPathIgnorePatterns: ['/node_modules/', ...standaloneOnly, ...crashServices, ...alone],
  // A deployment is more than a dozen processes, and each file starts its own.
  testTimeout: 300_000,
};
