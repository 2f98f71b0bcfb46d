// Layers first, then what a linter sees of the house style; tools/tidy.spec.ts holds the rest, with the reasons.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import nx from '@nx/eslint-plugin';
import tseslint from 'typescript-eslint';
import { limits } from './tools/limits.mjs';

const below = { contract: ['contract'] };
below.infra = ['infra', ...below.contract];
below.client = ['client', ...below.infra];
// A feature depends on everything below it and never on another feature.
below.feature = below.client;
below.app = ['feature', ...below.client];
below.test = ['test', ...below.app];

/** One constraint per layer; `extra` layers are allowed on top, for files that are not part of the product. */
const boundaries = (extra, contractExternals) => [
  'error',
  {
    // Comes with Jest, in the version that runs.
    allow: ['@jest/globals'],
    banTransitiveDependencies: true,
    enforceBuildableLibDependency: false,
    depConstraints: Object.entries(below).map(([layer, allowed]) => ({
      sourceTag: `layer:${layer}`,
      onlyDependOnLibsWithTags: [...new Set([...allowed, ...extra])].map((name) => `layer:${name}`),
      ...(layer === 'contract' && contractExternals !== undefined ? { allowedExternalImports: contractExternals } : {}),
    })),
  },
];

/** Folders of all libs with that layer tag, for rules that the boundary rule cannot state. */
const libsOf = (layer) =>
  readdirSync('libs', { recursive: true })
    .filter((path) => path.endsWith('package.json') && !path.includes('node_modules'))
    .filter((path) => JSON.parse(readFileSync(`libs/${path}`, 'utf8')).nx?.tags?.includes(`layer:${layer}`))
    .map((path) => `libs/${dirname(path)}`);

const pureBuiltins = ['node:crypto', 'node:buffer'];
const specs = ['**/*.spec.ts'];
const readersOfTheEnvironment = ['apps/*/src/main.ts', 'libs/http/src/settings*.ts', 'libs/testing/**', 'tools/**', 'e2e/**', 'bench/**', ...specs];

export default tseslint.config(
  { ignores: ['**/dist', '**/node_modules', '.nx', 'coverage', '**/*.d.ts'] },
  ...tseslint.configs.recommended,
  {
    files: ['**/*.ts', '**/*.mjs'],
    plugins: { '@nx': nx },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      'max-lines': ['error', limits.fileLines],
      'max-lines-per-function': ['error', limits.functionLines],
      'no-restricted-syntax': [
        'error',
        {
          // Whoever calls an inline callback decides what it gets: the columns of a table of tests, a framework's hook.
          selector: `:not(MethodDefinition[kind='constructor']):not(CallExpression) > :function[params.length>${limits.positionalParameters}]`,
          message: `More than ${limits.positionalParameters} positional parameters: name them in one options object.`,
        },
        {
          selector: `MethodDefinition[kind='constructor'] > :function[params.length>${limits.constructorParameters}]`,
          message: `More than ${limits.constructorParameters} dependencies: this class does two things.`,
        },
      ],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    },
  },
  {
    // Type-aware, since a promise that nobody awaits is the bug that this kind of program has.
    files: ['**/*.ts'],
    languageOptions: { parserOptions: { project: ['tsconfig.spec.json'], tsconfigRootDir: import.meta.dirname } },
    rules: { '@typescript-eslint/no-floating-promises': 'error', '@typescript-eslint/no-misused-promises': 'error' },
  },
  { files: ['**/*.ts'], rules: { '@nx/enforce-module-boundaries': boundaries([], ['zod']) } },
  // Specs, the simulator's main and the supervisor of services on one machine, which starts servers as the tests do, may
  // use what only tests use; `libs/simulator` itself carries layer:test.
  { files: [...specs, 'apps/simulator/**/*.ts', 'apps/services/**/*.ts'], rules: { '@nx/enforce-module-boundaries': boundaries(['test'], undefined) } },
  // A describe block is a list of tests, not a function that someone has to hold in mind.
  { files: [...specs, '**/*.contract.ts'], rules: { 'max-lines-per-function': 'off' } },
  {
    files: ['libs/**/*.ts'],
    rules: {
      'no-restricted-exports': ['error', { restrictDefaultExports: { direct: true, named: true, defaultFrom: true, namedFrom: true, namespaceFrom: true } }],
    },
  },
  {
    files: ['**/*.ts'],
    ignores: readersOfTheEnvironment,
    rules: {
      'no-restricted-properties': ['error', { object: 'process', property: 'env', message: 'Only mains read the environment, through the settings reader; a lib takes options.' }],
    },
  },
  {
    files: libsOf('contract').map((folder) => `${folder}/**/*.ts`),
    ignores: specs,
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: [{ regex: `^node:(?!(${pureBuiltins.map((name) => name.slice(5)).join('|')})$)`, message: 'A contract does no I/O.' }] },
      ],
    },
  },
);
