import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { documentMetrics } from './metric-document.js';
import { METRICS } from './metric-table.js';

const FILE = join(import.meta.dirname, '../../../../docs/metrics.md');

describe('docs/metrics.md', () => {
  it('is what the table says; node tools/documents.mjs writes it anew', () => {
    expect(readFileSync(FILE, 'utf8')).toBe(documentMetrics());
  });

  it('names every metric and where its labels come from', () => {
    const text = documentMetrics();
    for (const name of Object.keys(METRICS)) expect(text).toContain(`| \`${name}\` |`);
    expect(text).toContain('models of the price book, at most 120; else `other`');
  });
});
