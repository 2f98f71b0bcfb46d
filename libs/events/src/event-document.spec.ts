import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { documentEvents } from './event-document.js';

const FILE = join(import.meta.dirname, '../../../docs/events.md');

describe('docs/events.md', () => {
  it('is what the table of topics says; when it differs, run node tools/documents.mjs', () => {
    expect(readFileSync(FILE, 'utf8')).toBe(documentEvents());
  });
});
