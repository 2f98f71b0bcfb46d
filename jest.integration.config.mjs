// Specs that need real servers: PostgreSQL, Kafka, Redis, the built processes, the simulator.
import { base } from './jest.config.mjs';

/** They kill one process in a moment that is chosen to the millisecond: jest.crash.config.mjs runs them, and nothing beside them. */
export const crash = ['/e2e/crash\\.spec', '/e2e/crash/'];
/** A thousand streams need the machine for themselves: in each shape they run with the crashes. */
export const alone = ['/e2e/stalled-readers\\.spec'];
/** Specs of one shape alone: they start, stop and kill it. */
export const standaloneOnly = ['/e2e/start\\.spec', '/e2e/start-failure\\.spec', ...crash];
/** The same of the services: jest.crash-services.config.mjs runs them. */
export const crashServices = ['/e2e/crash-services/'];
export const servicesOnly = ['/e2e/start-services\\.spec', '/e2e/many-gateways\\.spec', ...crashServices];

export default {
  ...base,
  roots: ['<rootDir>/libs', '<rootDir>/tools', '<rootDir>/e2e'],
  testMatch: ['<rootDir>/libs/**/*.integration.spec.ts', '<rootDir>/tools/**/*.integration.spec.ts', '<rootDir>/e2e/**/*.spec.ts'],
  globalSetup: '<rootDir>/libs/testing/src/servers/jest-setup.mjs',
  globalTeardown: '<rootDir>/libs/testing/src/servers/jest-teardown.mjs',
  testPathIgnorePatterns: ['/node_modules/', ...servicesOnly, ...crash, ...alone],
  testTimeout: 120_000,
};
