import { posix } from 'node:path';
import type { Repository, Rule } from './source-file.js';

const pathLike = /^(apps|libs|e2e|bench|tools|docs|deploy|\.ci)(\/[\w.-]+)*\/?$/;
/** `x.spec.ts` stands for any file. */
const fileLike = /^[\w-]{2,}(\.[\w-]+)*\.(ts|tsx|mjs|md)$/;
/** Files that the product writes when it runs. */
const writtenLater = new Set(['main.js']);

const foreignPaths = new RegExp(String.raw`(^|[^\w./-])/(work|farm|home|Users)/\w`);
const foreignWords = /\.\.\/shared\/|house-style\.md|\b(this|a) coding session\b|\bsub-?agents?\b(?! (call|request))|\bas an AI\b/i;

/** What documents and comments may say. */
export const textRules: Rule[] = [
  {
    title: 'a document names no file or folder that is gone',
    reason: 'A map that is wrong once is not consulted twice.',
    findings: (repository) => [...repository.documents].flatMap(([path, text]) => goneNames(path, text, repository)),
  },
  {
    title: 'nothing speaks of the machine or the circumstances in which it was written',
    reason: 'The repository speaks of the product; a path of one machine helps nobody on another.',
    findings: ({ sources, documents }) => {
      const texts = [...sources.map(({ path, text }) => [path, text] as const), ...documents];
      return texts.filter(([path]) => !path.startsWith('tools/tidy')).flatMap(([path, text]) => foreignLines(path, text));
    },
  },
];

function goneNames(path: string, text: string, { paths }: Repository): string[] {
  const all = [...paths];
  const exists = (name: string): boolean => {
    const bare = name.replace(/\/$/, '');
    return paths.has(bare) || all.some((known) => known.startsWith(`${bare}/`));
  };
  const spans = [...text.matchAll(/`([^`\n]+)`/g)].map(([, span]) => span ?? '');
  const gonePaths = spans.filter((span) => pathLike.test(span) && !exists(span));
  const goneFiles = spans.filter((span) => fileLike.test(span) && !writtenLater.has(span) && !all.some((known) => posix.basename(known) === span));
  const links = [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, target]) => target ?? '');
  const goneLinks = links.filter((target) => !/^[a-z]+:|^\//.test(target) && !exists(posix.join(posix.dirname(path), target)));
  return [...gonePaths, ...goneFiles, ...goneLinks].map((name) => `${path} names ${name}`);
}

function foreignLines(path: string, text: string): string[] {
  const lines = text.split('\n');
  return lines.flatMap((line, index) => (foreignPaths.test(line) || foreignWords.test(line) ? [`${path}:${index + 1} ${line.trim()}`] : []));
}
