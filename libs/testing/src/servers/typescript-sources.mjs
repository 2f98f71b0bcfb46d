// Lets this process import our TypeScript sources, as Jest compiles them for specs.
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { transformSync } from '@swc/core';
import { base } from '../../../../jest.config.mjs';

const [, options] = base.transform['^.+\\.ts$'];

registerHooks({
  resolve(specifier, context, next) {
    const ofSource = context.parentURL?.endsWith('.ts') === true;
    if (ofSource && /^\.{1,2}\//.test(specifier)) return next(specifier.replace(/\.js$/, '.ts'), context);
    if (!specifier.startsWith('@tokone/')) return next(specifier, context);
    return next(specifier, { ...context, conditions: [...context.conditions, '@tokone/source'] });
  },
  load(url, context, next) {
    if (!url.startsWith('file:') || !url.endsWith('.ts')) return next(url, context);
    const filename = fileURLToPath(url);
    const { code } = transformSync(readFileSync(filename, 'utf8'), { ...options, filename });
    return { format: 'module', source: code, shortCircuit: true };
  },
});
