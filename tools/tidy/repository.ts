import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSource, type Repository, type SourceFile } from './source-file.js';

const notOurs = new Set(['node_modules', 'dist', 'coverage', '.git', '.nx', '.tokone']);

/** Reads the working tree; generated and installed folders are left out. */
export function readRepository(root: string): Repository {
  const paths = [...filesBelow(root, '')];
  const sources: SourceFile[] = [];
  const documents = new Map<string, string>();
  for (const path of paths) {
    if (/\.(ts|tsx|mjs)$/.test(path)) sources.push(parseSource(path, readFileSync(join(root, path), 'utf8')));
    if (path.endsWith('.md')) documents.set(path, readFileSync(join(root, path), 'utf8'));
  }
  return { sources, documents, paths: new Set(paths) };
}

function* filesBelow(root: string, folder: string): Generator<string> {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isFile()) yield path;
    else if (entry.isDirectory() && !notOurs.has(entry.name)) yield* filesBelow(root, path);
  }
}
