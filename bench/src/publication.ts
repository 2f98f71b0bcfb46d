import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { WORKSPACE } from '@tokone/testing';
import type { PartResult } from './bench-part.js';

const DOCUMENT = join(WORKSPACE, 'docs', 'performance.md');

/** A whole part replaces what is published of it; anything less is only shown. @returns the file of the slices */
export function publish(part: string, { report, whole, slices, about }: PartResult): string {
  process.stdout.write(`${report}\n`);
  const folder = whole ? join(WORKSPACE, 'bench', 'results') : join(WORKSPACE, 'bench', 'dist', 'results');
  const file = join(folder, `${part}.json`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(about, null, 1).slice(0, -2)},\n "slices": [\n  ${slices.map((slice) => JSON.stringify(slice)).join(',\n  ')}\n ]\n}\n`);
  if (whole) writeSection(part, report);
  return file;
}

function writeSection(part: string, report: string): void {
  const [begin, end] = [`<!-- written by npm run bench -- ${part}: begin -->`, `<!-- written by npm run bench -- ${part}: end -->`];
  const document = readFileSync(DOCUMENT, 'utf8');
  const [before, after] = [document.indexOf(begin), document.indexOf(end)];
  if (before < 0 || after < before) throw new Error(`${DOCUMENT} has lost the marks between which the tables of ${part} stand.`);
  writeFileSync(DOCUMENT, `${document.slice(0, before + begin.length)}\n\n${report}\n\n${document.slice(after)}`);
}
