import type { Rule } from './source-file.js';

/** How a rule may be broken. */
export const commentRules: Rule[] = [
  {
    title: 'a lint rule that is switched off says why',
    reason: 'Where a rule makes a piece of code worse, break it and say so: `-- <reason>` behind the rule, for one line only.',
    findings: ({ sources }) =>
      sources.flatMap(({ path, text }) =>
        text.split('\n').flatMap((line, index) => {
          const directive = /^\s*(?:\/\/|\/\*)\s*(eslint-disable[\w-]*|@ts-[\w-]+)/.exec(line)?.[1];
          if (directive === undefined) return [];
          const isArgued = directive === '@ts-expect-error' ? /@ts-expect-error\s+\S+/.test(line) : line.includes(' -- ');
          const isOneLine = directive === 'eslint-disable-next-line' || directive === '@ts-expect-error';
          return isArgued && isOneLine ? [] : [`${path}:${index + 1} ${line.trim()}`];
        }),
      ),
  },
];
