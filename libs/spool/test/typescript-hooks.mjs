// Lets a child process run the sources as they stand: node strips the types, this finds `x.ts` behind `./x.js`.
import { registerHooks } from 'node:module';

registerHooks({
  resolve(specifier, context, nextResolve) {
    const ours = specifier.startsWith('.') && specifier.endsWith('.js') && context.parentURL?.endsWith('.ts');
    return nextResolve(ours ? `${specifier.slice(0, -3)}.ts` : specifier, context);
  },
});
