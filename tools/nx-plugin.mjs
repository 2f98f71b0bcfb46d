// Gives every project its Nx targets (build, lint, test), so that no package.json repeats them.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

const node = 'node_modules/.bin/node';
const external = (/** @type {string[]} */ ...packages) => ({ externalDependencies: packages });

/**
 * @param {string} projectRoot relative to the workspace, for example `libs/spool`
 * @returns {import('@nx/devkit').TargetConfiguration}
 */
function buildTarget(projectRoot) {
  return {
    command: `${node} node_modules/typescript7/bin/tsc -b ${projectRoot}`,
    cache: true,
    dependsOn: ['^build'],
    inputs: ['production', '^production', external('typescript7')],
    outputs: ['{projectRoot}/dist'],
  };
}

/**
 * @param {string} projectRoot
 * @returns {import('@nx/devkit').TargetConfiguration}
 */
function lintTarget(projectRoot) {
  return {
    command: `${node} node_modules/eslint/bin/eslint.js ${projectRoot}`,
    cache: true,
    // The boundary rule reads the tags of the imported projects, so theirs count too.
    inputs: ['default', '^default', '{workspaceRoot}/eslint.config.mjs', '{workspaceRoot}/tools/limits.mjs', external('eslint', 'typescript-eslint', '@nx/eslint-plugin')],
  };
}

/**
 * Unit tests only: what needs real servers runs in `npm test`, on everything at once.
 * @param {string} projectRoot
 * @returns {import('@nx/devkit').TargetConfiguration}
 */
function testTarget(projectRoot) {
  return {
    command: `${node} --experimental-vm-modules node_modules/jest/bin/jest.js ${projectRoot}/ --passWithNoTests --selectProjects unit`,
    cache: true,
    inputs: ['default', '^production', '{workspaceRoot}/jest.config.mjs', external('jest', '@swc/core', '@swc/jest')],
  };
}

/** @type {import('@nx/devkit').CreateNodesV2} */
export const createNodesV2 = [
  '{apps,libs,e2e,bench,tools}/**/package.json',
  (manifests, _options, { workspaceRoot }) =>
    manifests.map((manifest) => {
      const root = dirname(manifest);
      const compiled = existsSync(join(workspaceRoot, root, 'tsconfig.json'));
      const targets = { ...(compiled ? { build: buildTarget(root) } : {}), lint: lintTarget(root), test: testTarget(root) };
      return [manifest, { projects: { [root]: { root, targets } } }];
    }),
];
