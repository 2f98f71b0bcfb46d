// A lint rule that silently stopped working looks like clean code: each constraint is seen to fire once.
import { execFileSync } from 'node:child_process';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { ESLint } from 'eslint';
import { findNode24 } from './node24.mjs';
import { workspaceRoot } from './workspace.mjs';

const boundaryRule = '@nx/enforce-module-boundaries';

// Types cost seconds for each changed text, and only one of the rules here asks for them.
const typeAware = ['@typescript-eslint/no-floating-promises', '@typescript-eslint/no-misused-promises'];
const withoutTypes = {
  languageOptions: { parserOptions: { project: null } },
  rules: Object.fromEntries(typeAware.map((name) => [name, 'off' as const])),
};

let eslint: ESLint;
beforeAll(() => {
  // Without a graph on disk the rule lets everything pass.
  const env = { ...process.env, NX_DAEMON: 'false', NX_NO_CLOUD: 'true', NX_TUI: 'false' };
  execFileSync(findNode24(), ['node_modules/nx/dist/bin/nx.js', 'show', 'projects'], { cwd: workspaceRoot, env });
  eslint = new ESLint({ cwd: workspaceRoot, overrideConfig: { files: ['**/*.ts'], ...withoutTypes } });
}, 60_000);

async function rulesThatFire(path: string, source: string, linter = eslint): Promise<(string | null)[]> {
  const [result] = await linter.lintText(`${source}\n`, { filePath: `${workspaceRoot}/${path}` });
  return result!.messages.map(({ ruleId }) => ruleId);
}

describe('the layers', () => {
  it.each([
    ['a contract imports infra', 'libs/protocol/src/index.ts', "export { x } from '@tokone/persistence';"],
    ['a contract imports a package', 'libs/pricing/src/index.ts', "export { Pool } from 'pg';"],
    ['infra imports a client', 'libs/spool/src/index.ts', "export { x } from '@tokone/admission';"],
    ['a client imports a feature', 'libs/admission/src/index.ts', "export { x } from '@tokone/billing';"],
    ['a feature imports a feature', 'libs/billing/src/index.ts', "export { x } from '@tokone/account';"],
    ['an adapter imports an adapter', 'libs/adapters/openai/src/index.ts', "export { x } from '@tokone/gemini-provider';"],
    ['a feature imports what only tests use', 'libs/gateway/src/index.ts', "export { x } from '@tokone/testing';"],
    ['a feature reaches into a lib by path', 'libs/gateway/src/index.ts', "export { x } from '../../spool/src/index.js';"],
    ['a lib imports a package that nobody declared', 'libs/http/src/index.ts', "export { x } from 'ajv';"],
  ])('refuse that %s', async (_title, path, source) => {
    expect(await rulesThatFire(path, source)).toContain(boundaryRule);
  });

  it.each([
    ['a contract imports a contract', 'libs/events/src/index.ts', "export { uuid7 } from '@tokone/protocol';"],
    ['a contract imports zod', 'libs/protocol/src/index.ts', "export { z } from 'zod';"],
    ['infra imports a driver', 'libs/persistence/src/index.ts', "export { Pool } from 'pg';"],
    ['a feature imports a client and a contract', 'libs/gateway/src/index.ts', "export { x } from '@tokone/admission';\nexport { y } from '@tokone/protocol';"],
  ])('allow that %s', async (_title, path, source) => {
    expect(await rulesThatFire(path, source)).toEqual([]);
  });
});

describe('the other rules', () => {
  it.each([
    ['a contract that does I/O', 'libs/protocol/src/index.ts', "export { readFile } from 'node:fs/promises';", 'no-restricted-imports'],
    ['a lib that reads the environment', 'libs/gateway/src/index.ts', 'export const port = process.env.PORT;', 'no-restricted-properties'],
    ['a default export in a lib', 'libs/gateway/src/index.ts', 'export default 1;', 'no-restricted-exports'],
    ['any', 'libs/gateway/src/index.ts', 'export const anything: any = 1;', '@typescript-eslint/no-explicit-any'],
    ['a fourth positional parameter', 'libs/gateway/src/index.ts', 'export const sum = (a: 1, b: 1, c: 1, d: 1) => a + b + c + d;', 'no-restricted-syntax'],
  ])('refuse %s', async (_title, path, source, rule) => {
    expect(await rulesThatFire(path, source)).toContain(rule);
  });

  it('refuse a promise that nobody awaits', async () => {
    const source = 'export function close() { Promise.resolve(1); }';
    // With CI set the parser would take types from the file on disk instead of from this text.
    const languageOptions = { parserOptions: { disallowAutomaticSingleRunInference: true } };
    const typed = new ESLint({ cwd: workspaceRoot, overrideConfig: { files: ['**/*.ts'], languageOptions } });
    const fired = await rulesThatFire('libs/gateway/src/index.ts', source, typed);
    expect(fired).toContain('@typescript-eslint/no-floating-promises');
  }, 60_000);

  it('allow a contract to hash', async () => {
    expect(await rulesThatFire('libs/protocol/src/index.ts', "export { createHmac } from 'node:crypto';")).toEqual([]);
  });
});
