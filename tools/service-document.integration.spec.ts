import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { findNode24 } from './node24.mjs';
import { workspaceRoot } from './workspace.mjs';

describe('docs/services.md', () => {
  it('is what the tables of the built services say; node tools/documents.mjs writes it anew', () => {
    const program = `const { documentServices } = await import('./tools/service-document.mjs'); process.stdout.write(await documentServices(process.cwd()));`;
    const text = execFileSync(findNode24(), ['--input-type=module', '-e', program], { cwd: workspaceRoot, encoding: 'utf8' });
    expect(readFileSync(join(workspaceRoot, 'docs/services.md'), 'utf8')).toBe(text);
    for (const name of ['gateway', 'billing', 'account', 'migrate', 'init']) expect(text).toContain(`## ${name}\n`);
  });
});
