// The part of the house style that a program can see. A failure prints the places and the reason for the rule.
import { describe, expect, it } from '@jest/globals';
import { codeRules } from './tidy/code-rules.js';
import { commentRules } from './tidy/comment-rules.js';
import { importRules } from './tidy/import-rules.js';
import { nameRules } from './tidy/name-rules.js';
import { readRepository } from './tidy/repository.js';
import { sizeRules } from './tidy/size-rules.js';
import { parseSource, type Repository, type Rule } from './tidy/source-file.js';
import { specRules } from './tidy/spec-rules.js';
import { textRules } from './tidy/text-rules.js';
import { workspaceRoot } from './workspace.mjs';

const rules = [...sizeRules, ...nameRules, ...importRules, ...codeRules, ...commentRules, ...specRules, ...textRules];

describe('the repository', () => {
  const repository = readRepository(workspaceRoot);

  it.each(rules.map((rule) => [rule.title, rule] as const))('%s', (_title, rule) => {
    const findings = rule.findings(repository);
    if (findings.length > 0) throw new Error(`${rule.reason}\n${findings.map((finding) => `  ${finding}`).join('\n')}`);
  });
});

function repositoryOf(files: Record<string, string>): Repository {
  const sources = Object.entries(files).filter(([path]) => path.endsWith('.ts'));
  const documents = Object.entries(files).filter(([path]) => path.endsWith('.md'));
  return { sources: sources.map(([path, text]) => parseSource(path, text)), documents: new Map(documents), paths: new Set(Object.keys(files)) };
}

function ruleTitled(part: string): Rule {
  const found = rules.find(({ title }) => title.includes(part));
  if (found === undefined) throw new Error(`No rule has "${part}" in its title.`);
  return found;
}

const lines = (count: number): string => 'a();\n'.repeat(count);
const importing = (name: string): string => `import x from '${name}';`;

describe('a rule fires', () => {
  it.each<[string, string, Record<string, string>]>([
    ['a file of 401 lines', 'a file has at most', { 'libs/a/src/b.ts': lines(401) }],
    ['a main of 61 lines', "an app's main", { 'apps/a/src/main.ts': lines(61) }],
    ['a function of 71 lines', 'a function has at most', { 'libs/a/src/b.ts': `function f() {\n${lines(69)}}` }],
    ['a test of 71 lines', 'a function has at most', { 'libs/a/src/b.spec.ts': `it('does', () => {\n${lines(69)}});` }],
    ['a fourth parameter', 'positional', { 'libs/a/src/b.ts': 'const f = (a, b, c, d) => a;' }],
    ['a seventh dependency', 'positional', { 'libs/a/src/b.ts': 'class A { constructor(a, b, c, d, e, f, g) {} }' }],
    ['a folder named utils', 'named after', { 'libs/a/src/utils/b.ts': '' }],
    ['a file named string-helpers', 'named after', { 'libs/a/src/string-helpers.ts': '' }],
    ['a file named types', 'named after', { 'libs/a/src/types.ts': '' }],
    ['a capital in a name', 'kebab-case', { 'libs/a/src/priceBook.ts': '' }],
    ['a star export', 'one index.ts', { 'libs/a/src/index.ts': "export * from './b.js';" }],
    ['an index that owns code', 'one index.ts', { 'libs/a/src/index.ts': 'export const a = 1;' }],
    ['an index that passes on what it does not own', 'one index.ts', { 'libs/a/src/index.ts': "export { Pool } from 'pg';" }],
    ['an index inside a lib', 'one index.ts', { 'libs/a/src/b/index.ts': '' }],
    ['a driver in two libs', 'driver package', { 'libs/a/src/b.ts': importing('pg'), 'libs/c/src/d.ts': importing('pg') }],
    ['a cycle', 'import cycles', { 'libs/a/src/b.ts': importing('./c.js'), 'libs/a/src/c.ts': importing('./b.js') }],
    ['forwardRef', 'forwardRef', { 'libs/a/src/b.ts': 'forwardRef(() => A);' }],
    ['a request scope', 'forwardRef', { 'libs/a/src/b.ts': '@Injectable({ scope: Scope.REQUEST }) class A {}' }],
    ['an injected string', 'forwardRef', { 'libs/a/src/b.ts': "class A { constructor(@Inject('A') a: A) {} }" }],
    ['a provided string', 'forwardRef', { 'libs/a/src/b.ts': "const a = { provide: 'A', useValue: 1 };" }],
    ['a skipped test', 'skipped', { 'libs/a/src/b.spec.ts': "it.skip('does', () => {});" }],
    ['a focused table', 'skipped', { 'libs/a/src/b.spec.ts': "describe.only.each([])('does', () => {});" }],
    ['a test that is only a title', 'skipped', { 'libs/a/src/b.spec.ts': "it.todo('does');" }],
    ['a reader of the wall clock', 'clock', { 'libs/a/src/b.ts': 'const now = Date.now();' }],
    ['a date of now', 'clock', { 'libs/a/src/b.ts': 'const now = new Date();' }],
    ['a silenced rule without a reason', 'switched off', { 'libs/a/src/b.ts': '// eslint-disable-next-line no-console\na();' }],
    ['a rule silenced for a whole file', 'switched off', { 'libs/a/src/b.ts': '/* eslint-disable no-console -- all */' }],
    ['logic without a spec', 'shown by a spec', { 'libs/a/src/b.ts': 'export const f = () => 1;' }],
    ['logic with two users, only one of them shown', 'shown by a spec', {
      'libs/a/src/b.ts': 'export const f = () => 1;',
      'libs/a/src/c.ts': importing('./b.js'),
      'libs/a/src/d.ts': importing('./b.js'),
      'libs/a/src/c.spec.ts': importing('./c.js'),
    }],
    ['a path that is gone', 'names no file', { 'ARCHITECTURE.md': 'See `libs/gone/src`.' }],
    ['a file that is gone', 'names no file', { 'README.md': 'See `gone.ts`.' }],
    ['a link that leads nowhere', 'names no file', { 'docs/a.md': '[next](./gone.md)' }],
    ['a path of a machine', 'circumstances', { 'libs/a/src/b.ts': `// see ${['', 'home', 'me', 'notes'].join('/')}` }],
  ])('on %s', (_title, rule, files) => {
    expect(ruleTitled(rule).findings(repositoryOf(files))).not.toEqual([]);
  });
});

describe('the rules accept', () => {
  it.each<[string, Record<string, string>]>([
    ['a lib as it should be', {
      'libs/a/src/index.ts': "export { f } from './b.js';\nexport type { B } from './b.js';",
      'libs/a/src/b.ts': 'export interface B {}\nexport function f(a, b, c) { return a; }',
      'libs/a/src/b.spec.ts': `describe('f', () => {\n${lines(100)}});`,
    }],
    ['types and tables without a spec', { 'libs/a/src/b.ts': 'export type A = (a: 1, b: 2, c: 3, d: 4) => void;\nexport const table = { a: 1 };' }],
    ['a part of one neighbour that has a spec', {
      'libs/a/src/b.ts': 'export const f = () => 1;',
      'libs/a/src/c.ts': `${importing('./b.js')} export const g = () => 1;`,
      'libs/a/src/c.spec.ts': importing('./c.js'),
    }],
    ['a contract suite as long as its list of tests', { 'libs/a/src/b.contract.ts': `export function c() {\ndescribe('b', () => {\n${lines(90)}});\n}` }],
    ['an index that hands out the types of its driver', { 'libs/a/src/index.ts': "export type { Pool } from 'pg';" }],
    ['two files that know each other by type', { 'libs/a/src/b.ts': "import type { C } from './c.js';", 'libs/a/src/c.ts': "import { type B } from './b.js';" }],
    ['a table of tests with many columns', { 'libs/a/src/b.spec.ts': "it.each([])('adds', (a, b, c, d) => {});" }],
    ['an argued exception', { 'apps/a/src/b.ts': '// eslint-disable-next-line no-restricted-syntax -- the signature is given\nfunction f(a, b, c, d) {}' }],
    ['a clock at the edge', { 'apps/a/src/main.ts': 'start({ now: () => Date.now() });' }],
    ['a driver that specs and tests use too', { 'libs/a/src/b.spec.ts': importing('pg'), 'libs/testing/src/c.ts': importing('pg'), 'libs/c/src/d.ts': importing('pg') }],
    ['a document that tells the truth', { 'README.md': '`libs/a/src/b.ts`, `b.ts`, `libs/a` and [this](docs/c.md#x)', 'libs/a/src/b.ts': '', 'docs/c.md': '' }],
  ])('%s', (_title, files) => {
    expect(rules.flatMap((rule) => rule.findings(repositoryOf(files)))).toEqual([]);
  });
});
