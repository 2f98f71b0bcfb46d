import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { documentErrors } from './error-document.js';
import { ERROR_TABLE } from './error-table.js';

const FILE = join(import.meta.dirname, '../../../../docs/errors.md');

describe('docs/errors.md', () => {
  it('is what the table of errors says; when it differs, write documentErrors() of @tokone/protocol there', () => {
    expect(readFileSync(FILE, 'utf8')).toBe(documentErrors());
  });

  it('has one line for each code, by rising status', () => {
    const rows = [...documentErrors().matchAll(/^\| (\d{3}) \| `(\w+)` \|/gm)];
    expect(rows.map(([, , code]) => code).sort()).toEqual(Object.keys(ERROR_TABLE).sort());
    const statuses = rows.map(([, status]) => Number(status));
    expect([...statuses].sort((a, b) => a - b)).toEqual(statuses);
  });
});
