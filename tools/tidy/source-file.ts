import { posix } from 'node:path';
import ts from 'typescript';

/** One TypeScript or JavaScript file of the repository, parsed once. */
export interface SourceFile {
  /** Relative to the repository, with `/`. */
  readonly path: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
}

/** What the rules look at. */
export interface Repository {
  readonly sources: readonly SourceFile[];
  /** Markdown files, by path. */
  readonly documents: ReadonlyMap<string, string>;
  /** Every file, whatever its kind. */
  readonly paths: ReadonlySet<string>;
}

/** A rule of the house style; a finding names the place, the reason says why the rule stands. */
export interface Rule {
  readonly title: string;
  readonly reason: string;
  findings(repository: Repository): string[];
}

export function parseSource(path: string, text: string): SourceFile {
  return { path, text, tree: ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true) };
}

export function isSpec({ path }: SourceFile): boolean {
  return path.endsWith('.spec.ts');
}

/** Visits every node of the file, parents first. */
export function walk(source: SourceFile, visit: (node: ts.Node) => void): void {
  const descend = (node: ts.Node): void => {
    visit(node);
    ts.forEachChild(node, descend);
  };
  descend(source.tree);
}

/** @returns `path:line`, as terminals and editors understand it */
export function placeOf(source: SourceFile, node: ts.Node): string {
  return `${source.path}:${lineOf(source, node)}`;
}

/** @returns the line on which the node's own text starts, from 1 */
export function lineOf(source: SourceFile, node: ts.Node): number {
  return source.tree.getLineAndCharacterOfPosition(node.getStart(source.tree)).line + 1;
}

/** A module that a file names; `typeOnly` ones are gone at run time. */
export interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
  readonly node: ts.Node;
}

/** @returns every module that the file imports or re-exports */
export function importsOf(source: SourceFile): Import[] {
  const found: Import[] = [];
  walk(source, (node) => {
    const named = moduleSpecifierOf(node);
    if (named !== undefined && ts.isStringLiteral(named)) found.push({ specifier: named.text, typeOnly: isTypeOnly(node), node });
  });
  return found;
}

function isTypeOnly(node: ts.Node): boolean {
  if (ts.isExportDeclaration(node)) return node.isTypeOnly;
  if (!ts.isImportDeclaration(node) || node.importClause === undefined) return false;
  const { isTypeOnly: all, name, namedBindings } = node.importClause;
  if (all) return true;
  if (name !== undefined || namedBindings === undefined || !ts.isNamedImports(namedBindings)) return false;
  return namedBindings.elements.length > 0 && namedBindings.elements.every((element) => element.isTypeOnly);
}

/** @returns the repository's path of the file that a relative import means */
export function resolveRelative(from: string, specifier: string): string {
  return posix.join(posix.dirname(from), specifier).replace(/\.js$/, '.ts');
}

function moduleSpecifierOf(node: ts.Node): ts.Expression | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier;
  const isDynamic = ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword;
  return isDynamic ? node.arguments[0] : undefined;
}

/** @returns the folder of the app, lib or test project that the file belongs to, for example `libs/adapters/openai` */
export function projectOf(path: string): string | undefined {
  return /^((?:apps|libs\/adapters|libs)\/[^/]+|e2e|bench|tools)\//.exec(path)?.[1];
}
