import { posix } from 'node:path';
import ts from 'typescript';
import { shownElsewhere } from './exceptions.js';
import { importsOf, isSpec, resolveRelative, walk, type Repository, type Rule, type SourceFile } from './source-file.js';

/** Wiring, declarations and what only specs use: the type checker and the tests on real parts see them. */
const wiring = /(^|\/)(main|index)\.ts$|\.(module|entity|contract)\.ts$|\/(migrations|fixtures)\/|^libs\/testing\//;
const inLibs = /^libs\/.*\/src\/.*\.ts$/;

/** That what can be wrong is tested. */
export const specRules: Rule[] = [
  {
    title: 'a file with logic is shown by a spec: one beside it, or one that imports it',
    reason:
      'Who changes a file finds the promises that it must keep. A part whose users are all shown, in the same folder, may rely on them; ' +
      'what only a spec of the whole shows is listed in tools/tidy/exceptions.ts.',
    findings: (repository) => unshown(repository).filter((path) => shownElsewhere[path] === undefined),
  },
  {
    title: 'an entry of shownElsewhere is needed and names a spec that exists',
    reason: 'A list of exceptions that nobody prunes ends up excusing everything.',
    findings: (repository) => {
      // The list speaks of the repository that it stands in, not of a fixture.
      if (!repository.paths.has('tools/tidy/exceptions.ts')) return [];
      const needed = new Set(unshown(repository));
      const entries = Object.entries(shownElsewhere);
      return entries.filter(([path, spec]) => !needed.has(path) || !repository.paths.has(spec)).map(([path]) => path);
    },
  },
];

/** @returns the files with logic that no spec shows by itself */
function unshown(repository: Repository): string[] {
  const users = usersByFile(repository);
  const shown = (path: string, trail: string[] = []): boolean => {
    const importers = users.get(path) ?? [];
    if (hasSpecBeside(path, repository.paths) || importers.some((user) => user.endsWith('.spec.ts'))) return true;
    const relies = importers.filter((user) => !wiring.test(user));
    const isPart = (user: string): boolean => posix.dirname(user) === posix.dirname(path) && !trail.includes(user);
    return relies.length > 0 && relies.every((user) => isPart(user) && shown(user, [...trail, path]));
  };
  return repository.sources.filter((source) => inLibs.test(source.path) && isLogic(source) && !shown(source.path)).map(({ path }) => path);
}

function usersByFile({ sources }: Repository): Map<string, string[]> {
  const users = new Map<string, string[]>();
  for (const source of sources) {
    for (const { specifier } of importsOf(source)) {
      if (!specifier.startsWith('.')) continue;
      const target = resolveRelative(source.path, specifier);
      users.set(target, [...(users.get(target) ?? []), source.path]);
    }
  }
  return users;
}

function hasSpecBeside(path: string, paths: Repository['paths']): boolean {
  const stem = path.replace(/\.ts$/, '');
  return ['spec', 'integration.spec', 'serial.spec', 'fuzz.spec'].some((kind) => paths.has(`${stem}.${kind}.ts`));
}

/** Types, constants and tables can be wrong too, but not in a way that running them shows. */
function isLogic(source: SourceFile): boolean {
  if (isSpec(source) || wiring.test(source.path)) return false;
  let logic = false;
  walk(source, (node) => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined && !isPlainConstructor(node)) logic = true;
  });
  return logic;
}

/** A constructor that only keeps what it gets is a declaration spelled as a function. */
function isPlainConstructor(node: ts.SignatureDeclaration): boolean {
  if (!ts.isConstructorDeclaration(node)) return false;
  return node.body?.statements.every((statement) => /^(super\(|this\.\w+ = )/.test(statement.getText())) ?? true;
}
