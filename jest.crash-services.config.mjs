// The crash matrix of the services, one file at a time: each is a dozen processes under load, with deadlines of seconds.
import services from './jest.services.config.mjs';

export default {
  ...services,
  testMatch: ['<rootDir>/e2e/crash-services/*.spec.ts', '<rootDir>/e2e/stalled-readers.spec.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
};
