// The only Jest configuration. A project is a set of specs with what they need; folders and file names say which project a
// spec belongs to, and tools/test.mjs which projects a command runs. `node --experimental-vm-modules` runs the ES modules.
export const base = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  testEnvironmentOptions: { customExportConditions: ['@tokone/source', 'node', 'node-addons'] },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        swcrc: false,
        jsc: {
          target: 'es2024',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
          keepClassNames: true,
        },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  modulePathIgnorePatterns: ['/dist/'],
};

const everywhere = ['apps', 'libs', 'tools'];

/**
 * @param {{ name: string, below: string[], testMatch: string[], timeoutMs: number, servers?: boolean, shape?: 'services' }} project
 *   `servers`: PostgreSQL, Kafka and Redis for its specs, each started when a spec first asks for it, and ended with the run;
 *   `shape`: of the product, one process unless told
 */
function project({ name, below, testMatch, timeoutMs, servers = true, shape }) {
  return {
    ...base,
    displayName: name,
    roots: below.map((folder) => `<rootDir>/${folder}`),
    testMatch,
    globals: { testProject: { timeoutMs, shape } },
    setupFilesAfterEnv: ['<rootDir>/libs/testing/src/project-setup.mjs'],
    ...(servers && { globalSetup: '<rootDir>/libs/testing/src/servers/jest-setup.mjs', globalTeardown: '<rootDir>/libs/testing/src/servers/jest-teardown.mjs' }),
  };
}

/** With TOKONE_TEST_WHOLE_API=1 all specs of the API try the services, not only those that could tell shapes apart. */
const ofServices = process.env['TOKONE_TEST_WHOLE_API'] === '1' ? '**/e2e/{api,services}/**/*.spec.ts' : '**/e2e/{api/every-shape,services}/*.spec.ts';

export default {
  projects: [
    // They wait for sockets and timers, on machines that others share.
    project({ name: 'unit', below: everywhere, testMatch: ['**/!(*.integration|*.serial).spec.ts'], timeoutMs: 20_000, servers: false }),
    project({ name: 'integration', below: everywhere, testMatch: ['**/*.integration.spec.ts'], timeoutMs: 120_000 }),
    // Promises in milliseconds, and long ones at their full length: one file at a time, with nothing beside it.
    project({ name: 'serial', below: everywhere, testMatch: ['**/*.serial.spec.ts'], timeoutMs: 120_000 }),
    project({ name: 'e2e-standalone', below: ['e2e'], testMatch: ['**/e2e/{api,standalone}/**/*.spec.ts'], timeoutMs: 120_000 }),
    // Services are more than a dozen processes.
    project({ name: 'e2e-smoke', below: ['e2e'], testMatch: ['**/e2e/smoke/*.spec.ts'], timeoutMs: 300_000, shape: 'services' }),
    project({ name: 'e2e-services', below: ['e2e'], testMatch: [ofServices], timeoutMs: 300_000, shape: 'services' }),
    project({ name: 'faults-standalone', below: ['e2e'], testMatch: ['**/e2e/faults/{every-shape,standalone}/*.spec.ts'], timeoutMs: 120_000 }),
    project({ name: 'faults-services', below: ['e2e'], testMatch: ['**/e2e/faults/{every-shape,services}/*.spec.ts'], timeoutMs: 300_000, shape: 'services' }),
  ],
  watchman: false,
};
