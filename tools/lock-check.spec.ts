import { describe, expect, it } from '@jest/globals';
import { lockProblems } from './lock-check.mjs';

const root = { dependencies: { pg: '8.0.0' } };
const pg = { version: '8.0.0' };

function problemsOf(packages: Record<string, object>, manifest: object = root): string[] {
  return lockProblems({ lock: { packages: { '': manifest, ...packages } }, manifestOf: (folder: string) => (folder === '' ? manifest : undefined) });
}

describe('lockProblems', () => {
  it('accepts a lock that agrees with its manifest', () => {
    expect(problemsOf({ 'node_modules/pg': pg })).toEqual([]);
  });

  it.each([
    ['names an optional platform package that the lock lacks', { 'node_modules/pg': { ...pg, optionalDependencies: { 'pg-arm64': '8.0.0' } } }, root, /pg-arm64@8\.0\.0/],
    ['names a download address', { 'node_modules/pg': { ...pg, resolved: 'https://example.org/pg.tgz' } }, root, /download address/],
    ['names a range in package.json', { 'node_modules/pg': pg }, { dependencies: { pg: '^8.0.0' } }, /exact version/],
    ['names a version that differs', { 'node_modules/pg': { version: '8.0.1' } }, root, /the lock has 8\.0\.1/],
    ['names a dependency that is not locked', {}, root, /the lock has none/],
    ['names a workspace that is gone', { 'node_modules/pg': pg, 'libs/gone': {} }, root, /workspace libs\/gone/],
  ])('%s', (_title, packages, manifest, problem) => {
    expect(problemsOf(packages, manifest)).toEqual([expect.stringMatching(problem)]);
  });

  it('finds a nested optional package where Node would find it', () => {
    const nested = { ...pg, optionalDependencies: { native: '1.0.0' } };
    expect(problemsOf({ 'node_modules/pg': nested, 'node_modules/pg/node_modules/native': { version: '1.0.0' } })).toEqual([]);
    expect(problemsOf({ 'node_modules/pg': nested, 'node_modules/native': { version: '1.0.0' } })).toEqual([]);
  });

  it('compares the alias of a package by its version', () => {
    const manifest = { devDependencies: { typescript7: 'npm:typescript@7.0.2' } };
    expect(problemsOf({ 'node_modules/typescript7': { version: '7.0.2' } }, manifest)).toEqual([]);
  });

  it('notices a workspace whose dependencies changed after the lock was written', () => {
    const manifests: Record<string, object> = { '': {}, 'libs/spool': { dependencies: { '@tokone/events': '*' } } };
    const lock = { packages: { '': {}, 'libs/spool': {} } };
    expect(lockProblems({ lock, manifestOf: (folder: string) => manifests[folder] })).toEqual([expect.stringMatching(/libs\/spool/)]);
  });
});
