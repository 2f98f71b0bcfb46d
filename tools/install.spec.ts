import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { agrees, explainNpmFailure, stampFor } from './install.mjs';

describe('agrees', () => {
  const wanted = { packages: { '': {}, 'libs/spool': { version: '0.1.0' }, 'node_modules/pg': { version: '8.0.0' }, 'node_modules/mac-only': { version: '1.0.0', optional: true } } };

  it.each([
    ['everything is there', { 'node_modules/pg': { version: '8.0.0' }, 'node_modules/mac-only': { version: '1.0.0' } }, true],
    ['only an optional package is absent', { 'node_modules/pg': { version: '8.0.0' } }, true],
    ['a package is absent', { 'node_modules/mac-only': { version: '1.0.0' } }, false],
    ['a version differs', { 'node_modules/pg': { version: '8.0.1' } }, false],
    ['an optional package has another version', { 'node_modules/pg': { version: '8.0.0' }, 'node_modules/mac-only': { version: '2.0.0' } }, false],
  ])('%s', (_title, packages, expected) => {
    expect(agrees(wanted, { packages })).toBe(expected);
  });
});

describe('explainNpmFailure', () => {
  it.each([
    ['npm error code ENOTFOUND', /registry could not be reached/],
    ['npm error code ECONNREFUSED\nnpm error connect', /registry could not be reached/],
    ['npm error code ENOSPC', /disk is full/],
    ['npm error code EACCES', /cannot be written/],
    ['npm error code EUSAGE\nnpm error Missing: x from lock file', /do not agree/],
    ['npm error code EINTEGRITY', /digest/],
    ['npm error code SELF_SIGNED_CERT_IN_CHAIN', /certificate/],
  ])('says what to do after %j', (output, sentence) => {
    expect(explainNpmFailure(output)).toMatch(sentence);
  });

  it("shows npm's own lines for what it does not know, without the path of a log file", () => {
    const text = explainNpmFailure('npm error something new\nnpm error A complete log of this run can be found in: /x\n');
    expect(text).toBe('npm could not install the packages:\n  npm error something new');
  });
});

describe('stampFor', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tokone-install-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('changes with the lock', () => {
    writeFileSync(join(folder, 'package-lock.json'), '{}');
    const first = stampFor(folder);
    expect(first).toContain(`${process.platform}-${process.arch}`);
    expect(stampFor(folder)).toBe(first);
    writeFileSync(join(folder, 'package-lock.json'), '{"changed":true}');
    expect(stampFor(folder)).not.toBe(first);
  });

  it('says in a sentence that the lock is missing', () => {
    expect(() => stampFor(folder)).toThrow(/no package-lock\.json/);
  });
});
