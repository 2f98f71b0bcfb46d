import ts from 'typescript';
import { limits } from '../limits.mjs';
import { isSpec, lineOf, placeOf, walk, type Rule, type SourceFile } from './source-file.js';

/** How long a thing may be before nobody reads it in one go. */
export const sizeRules: Rule[] = [
  {
    title: `a file has at most ${limits.fileLines} lines`,
    reason: 'A file does one thing; one that has grown past this does two, and a split along the seam makes both easier to find.',
    findings: ({ sources }) =>
      sources.flatMap(({ path, text }) => {
        const lines = text.replace(/\n$/, '').split('\n').length;
        return lines > limits.fileLines ? [`${path} has ${lines} lines`] : [];
      }),
  },
  {
    title: `an app's main has at most ${limits.mainLines} lines`,
    reason: 'A main is a list of modules and drivers; what is longer holds logic that no other app can use.',
    findings: ({ sources }) =>
      sources.flatMap(({ path, text }) => {
        const lines = text.replace(/\n$/, '').split('\n').length;
        return /^apps\/[^/]+\/src\/main\.ts$/.test(path) && lines > limits.mainLines ? [`${path} has ${lines} lines`] : [];
      }),
  },
  {
    title: `a function has at most ${limits.functionLines} lines`,
    reason: 'A function that fits on a screen can be checked by looking at it.',
    findings: ({ sources }) => sources.flatMap(longFunctions),
  },
  {
    title: `a function takes at most ${limits.positionalParameters} positional parameters, a constructor ${limits.constructorParameters}`,
    reason: 'Four values in a row get swapped by mistake: name them in an options object. Seven dependencies are two classes.',
    findings: ({ sources }) => sources.flatMap(wideFunctions),
  },
];

function longFunctions(source: SourceFile): string[] {
  const found: string[] = [];
  walk(source, (node) => {
    if (!hasBody(node) || (holdsTests(source) && isListOfTests(node))) return;
    const lines = source.tree.getLineAndCharacterOfPosition(node.end).line + 2 - lineOf(source, node);
    if (lines > limits.functionLines && !isArgued(source, node, 'max-lines-per-function')) {
      found.push(`${placeOf(source, node)} ${nameOf(node)} has ${lines} lines`);
    }
  });
  return found;
}

function wideFunctions(source: SourceFile): string[] {
  const found: string[] = [];
  walk(source, (node) => {
    // Whoever calls an inline callback decides what it gets.
    if (!hasBody(node) || ts.isCallExpression(node.parent)) return;
    const most = ts.isConstructorDeclaration(node) ? limits.constructorParameters : limits.positionalParameters;
    // A `this` parameter is a type, not an argument.
    const count = node.parameters.filter(({ name }) => !(ts.isIdentifier(name) && name.text === 'this')).length;
    if (count > most && !isArgued(source, node, 'no-restricted-syntax')) {
      found.push(`${placeOf(source, node)} ${nameOf(node)} takes ${count} parameters`);
    }
  });
  return found;
}

function hasBody(node: ts.Node): node is ts.FunctionLikeDeclaration {
  return ts.isFunctionLike(node) && 'body' in node && node.body !== undefined;
}

/** A contract suite is a spec that every driver of a port runs. */
function holdsTests(source: SourceFile): boolean {
  return isSpec(source) || source.path.endsWith('.contract.ts');
}

/** The callback of `describe`, or a function around one: its length is the number of its tests. */
function isListOfTests(node: ts.FunctionLikeDeclaration): boolean {
  if (ts.isCallExpression(node.parent) && isDescribe(node.parent)) return true;
  const statements = node.body !== undefined && ts.isBlock(node.body) ? node.body.statements : [];
  return statements.some((statement) => ts.isExpressionStatement(statement) && isDescribe(statement.expression));
}

function isDescribe(node: ts.Expression): boolean {
  return ts.isCallExpression(node) && /^describe\b/.test(node.expression.getText());
}

/** A rule is broken for a stated reason: `// eslint-disable-next-line <rule> -- <reason>` on the line before. */
function isArgued(source: SourceFile, node: ts.Node, rule: string): boolean {
  const before = source.text.split('\n')[lineOf(source, node) - 2] ?? '';
  return before.includes('eslint-disable-next-line') && before.includes(rule) && before.includes(' -- ');
}

function nameOf(node: ts.FunctionLikeDeclaration): string {
  if (ts.isConstructorDeclaration(node)) return 'the constructor';
  if (node.name !== undefined) return node.name.getText();
  return ts.isVariableDeclaration(node.parent) ? node.parent.name.getText() : 'a function';
}
