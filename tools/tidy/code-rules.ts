import ts from 'typescript';
import { clockReaders } from './exceptions.js';
import { isSpec, placeOf, walk, type Rule, type SourceFile } from './source-file.js';

type Test = (node: ts.Node, source: SourceFile) => boolean;

/** What may stand inside of a file. */
export const codeRules: Rule[] = [
  rule({
    title: 'no forwardRef, no request-scoped providers, no string injection tokens',
    reason: 'forwardRef hides a cycle, a request scope builds the whole tree anew for each request, and a string token is found by no compiler.',
    test: (node) => isForwardRef(node) || isRequestScope(node) || isStringToken(node),
  }),
  rule({
    title: 'no test is skipped, focused or only announced',
    reason: 'A test runs or it is removed: a skipped one is a promise that nobody keeps, in green.',
    test: (node, source) => isSpec(source) && isIdleTest(node),
  }),
  rule({
    title: 'time comes in through a clock',
    reason: 'Code that reads the wall clock by itself can be tested only by waiting; the edges that may are listed with a reason.',
    test: (node, { path }) => isWallClock(node) && !isEdge(path),
  }),
];

function rule({ title, reason, test }: { title: string; reason: string; test: Test }): Rule {
  const findingsIn = (source: SourceFile): string[] => {
    const found: string[] = [];
    walk(source, (node) => {
      if (test(node, source)) found.push(`${placeOf(source, node)} ${node.getText().split('\n')[0]}`);
    });
    return found;
  };
  return { title, reason, findings: ({ sources }) => sources.flatMap(findingsIn) };
}

function isForwardRef(node: ts.Node): boolean {
  return ts.isCallExpression(node) && node.expression.getText() === 'forwardRef';
}

function isRequestScope(node: ts.Node): boolean {
  return ts.isPropertyAccessExpression(node) && node.getText() === 'Scope.REQUEST';
}

function isStringToken(node: ts.Node): boolean {
  if (ts.isDecorator(node) && ts.isCallExpression(node.expression) && node.expression.expression.getText() === 'Inject') {
    return node.expression.arguments.some((argument) => ts.isStringLiteralLike(argument));
  }
  return ts.isPropertyAssignment(node) && node.name.getText() === 'provide' && ts.isStringLiteralLike(node.initializer);
}

function isIdleTest(node: ts.Node): boolean {
  if (ts.isPropertyAccessExpression(node)) return /^(it|test|describe)(\.\w+)*\.(skip|only|todo|failing)$/.test(node.getText());
  return ts.isCallExpression(node) && /^(xit|xtest|xdescribe|fit|fdescribe)$/.test(node.expression.getText());
}

function isWallClock(node: ts.Node): boolean {
  if (ts.isCallExpression(node)) return node.expression.getText() === 'Date.now';
  return ts.isNewExpression(node) && node.expression.getText() === 'Date' && (node.arguments?.length ?? 0) === 0;
}

function isEdge(path: string): boolean {
  return path.endsWith('.spec.ts') || clockReaders.some(({ prefix }) => path.startsWith(prefix));
}
