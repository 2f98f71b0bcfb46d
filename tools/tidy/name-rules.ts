import { basename } from 'node:path';
import type { Rule } from './source-file.js';

const emptyNames = /^(utils?|helpers?|common|shared|misc|types?|interfaces?|dtos?|impl)$/;
const emptyParts = /(^|-)(utils?|helpers?|misc)(-|$)/;
const ourFolders = /^(apps|libs|e2e|bench|tools|docs|deploy)\//;
const kebabCase = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*$/;
/** Names that other programs look for. */
const givenNames = new Set(['README.md', 'Dockerfile', '.gitkeep', '.dockerignore', '.env.example', '.python-version']);

/** What files and folders may be called. */
export const nameRules: Rule[] = [
  {
    title: 'a file or folder is named after what it holds',
    reason: 'A folder listing reads as a table of contents; names like these say only that somebody did not know where else to put it.',
    findings: ({ paths }) => ours(paths).filter((path) => path.split('/').some((part) => isEmptyName(part))),
  },
  {
    title: 'a file or folder name is kebab-case',
    reason: 'One spelling for every name: nobody has to remember which file has capitals, and no file system confuses two.',
    findings: ({ paths }) => ours(paths).filter((path) => path.split('/').some((part) => !kebabCase.test(part) && !givenNames.has(part))),
  },
];

function ours(paths: ReadonlySet<string>): string[] {
  return [...paths].filter((path) => ourFolders.test(path));
}

function isEmptyName(part: string): boolean {
  const stem = basename(part).split('.')[0] ?? '';
  return emptyNames.test(stem) || emptyParts.test(stem);
}
