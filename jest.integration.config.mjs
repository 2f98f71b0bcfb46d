// Specs that need real servers: PostgreSQL, the built standalone process, the simulator.
import { base } from './jest.config.mjs';

export default {
  ...base,
  roots: ['<rootDir>/libs', '<rootDir>/tools', '<rootDir>/e2e'],
  testMatch: ['<rootDir>/libs/**/*.integration.spec.ts', '<rootDir>/tools/**/*.integration.spec.ts', '<rootDir>/e2e/**/*.spec.ts'],
  maxWorkers: 2,
  testTimeout: 120_000,
};
