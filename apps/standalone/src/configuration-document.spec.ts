import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { documentConfiguration } from './configuration-document.js';
import { SETTINGS } from './settings.js';

const FILE = join(import.meta.dirname, '../../../docs/configuration.md');

describe('docs/configuration.md', () => {
  it('is what the table of settings says; node tools/documents.mjs writes it anew', () => {
    expect(readFileSync(FILE, 'utf8')).toBe(documentConfiguration());
  });

  it('has one row for each setting', () => {
    const rows = [...documentConfiguration().matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, name]) => name);
    expect(rows).toEqual(Object.keys(SETTINGS));
  });
});
