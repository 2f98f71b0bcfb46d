// Kills of the one process, one spec at a time: what a killed process may have left unread is a quarter of a second.
import integration from './jest.integration.config.mjs';

export default {
  ...integration,
  roots: ['<rootDir>/e2e'],
  testMatch: ['<rootDir>/e2e/crash.spec.ts', '<rootDir>/e2e/crash/*.spec.ts', '<rootDir>/e2e/stalled-readers.spec.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
};
